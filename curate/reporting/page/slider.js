// The threshold: what the best share by a metric keeps, against random selections of the same size.
const three = (value, format) => (value?.[0] === null || !value ? MISSING : `${format(value[0])} [${format(value[1])}, ${format(value[2])}]`);

function sliderSection() {
  if (!doc.ranked.length) return null;
  const curves = h("div", { class: "charts three" });
  const readout = h("div", {});
  const input = h("input", { type: "range", min: 1, max: 100, step: 1, value: 100, id: "threshold", "aria-label": "Share kept" });
  const shown = h("output", { for: "threshold" });
  let charts = [];
  input.addEventListener("input", () => { state.percent = Number(input.value); changed(); });
  const pick = choose("Rank by", doc.ranked, state.by, (name) => { state.by = name; redraw(); changed(); });

  const redraw = () => {
    const curve = doc.cuts.metrics[state.by];
    const { control } = doc.cuts;
    const line = (key, label, format) => {
      if (!curve[key] || !control[key]) return null;
      const chart = lineChart(`${label} by share kept, and of random selections`, [
        { values: control[key].map((one) => one[0]), band: control[key].map((one) => [one[1], one[2]]), class: "random" },
        { values: curve[key], class: "main" }], format);
      charts.push(chart);
      return h("figure", {}, h("figcaption", {}, label), chart.node);
    };
    charts = [];
    const mixes = Object.entries(curve.groups).slice(0, 1).map(([name, counts]) => {
      const group = doc.groups.find((one) => one.name === name);
      const chart = stackChart(`${name} by share kept`, counts);
      charts.push(chart);
      const names = [...group.values.map((one) => one ?? "(none)"), "other"];
      return h("figure", {}, h("figcaption", {}, `Mix of ${name}`), chart.node,
        h("ul", { class: "legend" }, names.map((one, i) => counts[i].at(-1) > 0 && h("li", {}, h("i", { class: `c${i % 9}` }), one))));
    });
    replace(curves, line("margin", "Mean reward margin", short), line("longer", "Longer response is chosen", (v) => percent(v, 0)),
      mixes.length ? mixes : line("difference", `Chosen minus rejected, ${doc.head.length_unit}`, short));
  };
  const update = () => {
    input.value = state.percent;
    shown.textContent = `top ${state.percent}%`;
    input.setAttribute("aria-valuetext", `top ${state.percent}%, ${whole(live.rows)} rows`);
    for (const chart of charts) chart.mark(state.percent);
    replace(readout, thresholdTable());
  };
  onFilter(update);
  redraw();
  return section("threshold-section", "Threshold",
    "What the best rows by one metric look like as you keep fewer of them. The band is where 95% of random selections of the "
    + `same size fall (${doc.head.draws[1]} draws of whole prompts).`,
    h("div", { class: "controls" }, pick, h("label", { class: "wide", for: "threshold" }, "Keep", input, shown)), readout, curves);
}

function liveMeans() {
  const sums = { margin: [0, 0], longer: [0, 0], difference: [0, 0] };
  for (let i = 0; i < sample.rows; i++) {
    if (live.mask && !live.mask[i]) continue;
    const margin = sample.margin ? sample.margin[i] : NaN;
    if (!Number.isNaN(margin)) { sums.margin[0] += margin; sums.margin[1]++; }
    if (!sample.chosen) continue;
    const apart = sample.chosen[i] - sample.rejected[i];
    if (Number.isNaN(apart)) continue;
    sums.difference[0] += apart; sums.difference[1]++;
    if (apart !== 0) { sums.longer[0] += apart > 0; sums.longer[1]++; }
  }
  return Object.fromEntries(Object.entries(sums).map(([key, [sum, rows]]) => [key, rows ? sum / rows : null]));
}

function thresholdTable() {
  const at = state.percent - 1;
  const curve = doc.cuts.metrics[state.by];
  const exact = !filtered();
  const means = exact ? Object.fromEntries(["margin", "longer", "difference"].map((key) => [key, curve[key]?.[at] ?? null])) : liveMeans();
  const nearest = Math.max(0, Math.min(99, Math.round((100 * live.rows) / Math.max(doc.head.rows, 1)) - 1));
  const control = (key) => doc.cuts.control[key]?.[exact ? at : nearest];
  const all = (key) => curve[key]?.[99] ?? null;
  const mark = live.exact ? "" : "≈ ";
  const rows = [["rows", mark + whole(live.rows), whole(doc.head.rows), MISSING]];
  if (live.cut !== null) rows.push([`cut of ${state.by}`, short(live.cut), MISSING, MISSING]);
  const overall = { margin: doc.figures.all["mean:reward_margin"], longer: doc.figures.all.longer_wins, difference: all("difference") };
  for (const [key, label, format] of [["margin", "mean reward margin", short], ["longer", "longer response is chosen", percent],
    ["difference", `chosen minus rejected, ${doc.head.length_unit}`, short]]) {
    if (doc.cuts.control[key]) rows.push([label, mark + format(means[key]), format(overall[key] ?? null), three(control(key), format)]);
  }
  return table(["", "selected", "all rows", "random, same size [95%]"], rows, { label: "The selection in figures", class: "numbers" });
}
