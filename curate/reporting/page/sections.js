// The sections between the threshold and the pairs.
const LABELS = {
  longer_wins: "Longer response is chosen", length_auc: "AUC of the length difference", markdown_auc: "AUC of the difference in markdown",
};

function figuresSection() {
  const { all, kept: after, control } = doc.figures;
  const keys = Object.keys(all).filter((key) => !key.startsWith("share:") && all[key] !== null);
  const order = [...Object.keys(LABELS).filter((key) => keys.includes(key)), ...keys.filter((key) => !(key in LABELS))];
  const label = (key) => LABELS[key] ?? `Mean ${key.slice(5)}`;
  const format = (key) => (key === "longer_wins" ? percent : short);
  const differs = (key) => {
    const value = after[key][0];
    const [, low, high] = control[key];
    if (value === null || low === null || (value >= low && value <= high)) return "";
    return value > high ? "▲ above random" : "▼ below random";
  };
  const rows = order.map((key) => (after
    ? [label(key), format(key)(all[key]), three(after[key], format(key)), three(control[key], format(key)), differs(key)]
    : [label(key), format(key)(all[key])]));
  const head = after ? ["figure", "all rows", "kept [95%]", "random, same size [95%]", ""] : ["figure", "all rows"];
  const text = after
    ? `Intervals: ${doc.head.draws[0]} bootstrap draws of whole prompts. A figure outside the random interval is what the selection changed.`
    : "Give the rows you kept with --selected to see them next to a random selection of the same size.";
  return section("figures", "Before and after", text, table(head, rows, { label: "Figures before and after", class: "numbers" }));
}

function comparedSection() {
  const found = doc.compared;
  if (!found) return null;
  const [first, second] = found.files;
  const parts = [[`only in ${first}`, found.only[0], "c0"], ["in both", found.both, "c8"], [`only in ${second}`, found.only[1], "c5"]];
  const total = Math.max(parts.reduce((sum, one) => sum + one[1], 0), 1);
  let x = 0;
  const bar = s("svg", { viewBox: "0 0 1000 26", preserveAspectRatio: "none", class: "overlap", role: "img",
    "aria-label": parts.map(([name, rows]) => `${whole(rows)} ${name}`).join(", ") }, parts.map(([, rows, kind]) => {
    const width = (1000 * rows) / total;
    x += width;
    return s("rect", { class: kind, x: x - width, width, height: 26 });
  }));
  const legend = h("ul", { class: "legend" }, parts.map(([name, rows, kind]) => h("li", {}, h("i", { class: kind }), `${whole(rows)} ${name}`)));
  const { all, kept: one, other } = doc.figures;
  const keys = one && other ? Object.keys(all).filter((key) => all[key] !== null && !(key.startsWith("share:") && all[key] === 0)) : [];
  const label = (key) => {
    if (!key.startsWith("share:")) return LABELS[key] ?? `Mean ${key.slice(5)}`;
    const name = key.slice(6, key.lastIndexOf(":"));
    const value = doc.groups.find((group) => group.name === name).values[Number(key.slice(key.lastIndexOf(":") + 1))];
    return `${name}: ${value === undefined ? "other" : value ?? "(none)"}`;
  };
  const format = (key) => (key === "longer_wins" || key.startsWith("share:") ? percent : short);
  return section("compared", "Two selections", "Intervals: bootstrap by prompt. Pairs of only one selection are among the pairs below.", bar, legend,
    found.rules.some(Boolean) ? h("ul", { class: "reasons" }, found.rules.map((rule, i) => rule && h("li", {}, `${found.files[i]}: ${rule}`))) : null,
    table(["figure", "all rows", `${first} [95%]`, `${second} [95%]`],
      keys.map((key) => [label(key), format(key)(all[key]), three(one[key], format(key)), three(other[key], format(key))]),
      { label: "Two selections, figure by figure", class: "numbers" }));
}

function distributionsSection() {
  const cards = doc.numbers.filter((one) => one.counts).map((one) => {
    const chart = histogram(one);
    const [low, , middle, , high] = one.quantiles;
    return h("figure", { class: "card" },
      h("figcaption", {}, h("b", {}, one.name), one.unit && h("span", { class: "unit" }, one.unit),
        one.metric && h("span", { class: "unit" }, one.high ? "higher is better" : "lower is better")),
      chart.node, h("div", { class: "ends" }, h("span", {}, short(low)), h("span", {}, `median ${short(middle)}`), h("span", {}, short(high))),
      chart.tip, one.meaning && h("p", { class: "meaning", title: one.meaning }, one.meaning));
  });
  return section("distributions", "Distributions",
    "Every metric and measurement over all rows, what is kept or selected filled in. Click a bar or drag over several: everything filters. "
    + "The outermost bars hold everything beyond the 0.5% and 99.5% quantiles.", h("div", { class: "cards" }, cards));
}

let axes = null;
function drawCells() {
  const holder = document.getElementById("cells");
  if (holder) replace(holder, cells(axes[0], axes[1]));
}
function marginsSection() {
  const names = doc.numbers.filter((one) => one.counts && one.counts.length > 1).map((one) => one.name);
  if (names.length < 2) return null;
  const first = ["reward_margin", "chosen_reward", ...names].find((name) => names.includes(name));
  const second = ["dpo_margin", "simpo_margin", "dcrm", "length_difference", ...names].find((name) => names.includes(name) && name !== first);
  axes = [first, second];
  const pick = (at) => choose(at ? "Up" : "Across", names, axes[at], (name) => { axes[at] = name; drawCells(); });
  onFilter(drawCells);
  const note = sample.whole ? "" : ` Drawn from ${whole(sample.rows)} random rows.`;
  return section("margins", first === "reward_margin" && second === "dpo_margin" ? "Explicit against implicit margin" : "Two columns",
    `A stronger cell has more rows; its inner square is the share kept or selected. Drag over cells to filter.${note}`,
    h("div", { class: "controls" }, pick(0), pick(1)), h("div", { id: "cells", class: "wide-chart" }));
}

function agreementSection() {
  const { names, high, spearman, overlap } = doc.agreement;
  if (names.length < 2) return null;
  const cell = (i, j) => {
    if (i === j) return h("td", { class: "self" }, "");
    const value = j < i ? spearman[i][j] : overlap[i][j];
    const node = h("td", { class: "heat", title: `${names[i]}, ${names[j]}` }, value === null ? MISSING : j < i ? value.toFixed(2) : percent(value, 0));
    if (value !== null) {
      const strength = Math.round(60 * Math.abs(value));
      node.style.background = `color-mix(in srgb, var(${value < 0 ? "--orange" : "--blue"}) ${strength}%, transparent)`;
    }
    return node;
  };
  const label = (name, i) => `${name}${high[i] ? "" : " (lower is better)"}`;
  return section("agreement", "Where metrics agree",
    "Below the diagonal: Spearman's rank correlation, better end against better end. Above it: overlap of the top 10% of the rows; "
    + "two unrelated metrics share 10%.",
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Agreement of metrics" }, h("table", { class: "matrix" },
      h("thead", {}, h("tr", {}, h("td", {}), names.map((name) => h("th", { scope: "col" }, h("span", {}, name))))),
      h("tbody", {}, names.map((name, i) => h("tr", {}, h("th", { scope: "row" }, label(name, i)), names.map((_, j) => cell(i, j))))))));
}

function lengthSection() {
  const found = doc.lengths;
  if (!found) return null;
  const { all, kept: after, control } = doc.figures;
  const unit = doc.head.length_unit;
  const keys = Object.keys(LABELS).filter((key) => key in all);
  const rows = keys.map((key) => [LABELS[key], ...(key === "longer_wins" ? [percent(all[key])] : [short(all[key])]),
    ...(after ? [three(after[key], key === "longer_wins" ? percent : short), three(control[key], key === "longer_wins" ? percent : short)] : [])]);
  return section("length", "Length ruler",
    "How much of the label is style. 50% and 0.5 mean that length, or markdown, says nothing about which response is chosen. "
    + `Median length: chosen ${short(found.medians[0])}, rejected ${short(found.medians[1])} ${unit}.`,
    table(after ? ["", "all rows", "kept [95%]", "random, same size [95%]"] : ["", "all rows"], rows, { label: "Length bias", class: "numbers" }),
    h("figure", {}, h("figcaption", {}, `Length in ${unit}${found.kept ? ", kept rows filled in" : ""}`),
      mirrored(`Lengths of chosen and rejected in ${unit}`, found.edges, found.all, found.kept)));
}

function sharesSection() {
  if (!doc.groups.length) return null;
  const cards = doc.groups.map((group, at) => {
    const body = h("tbody", {});
    const head = h("tr", {});
    const update = () => {
      const after = groupShares(at);
      const random = !live.mask && doc.figures.control && `share:${group.name}:0` in doc.figures.control;
      replace(head, ["value", "", "all", after && (live.mask ? "selected" : "kept"), random && "random 95%"]
        .filter((one) => typeof one === "string").map((one) => h("th", { scope: "col" }, one)));
      const top = Math.max(...group.counts.map((rows) => rows / doc.head.rows), ...(after ?? []));
      replace(body, [...group.values, undefined].map((value, code) => {
        const rows = group.counts[code];
        if (!rows) return null;
        const name = value === undefined ? "other" : value ?? "(none)";
        const chosen = state.values.get(group.name)?.has(code);
        const label = value === undefined ? name : button(name, () => toggleValue(group.name, code), { class: "link", "aria-pressed": String(Boolean(chosen)) });
        const share = rows / doc.head.rows;
        const control = doc.figures.control?.[`share:${group.name}:${code}`];
        return h("tr", { class: chosen ? "chosen" : null }, h("th", { scope: "row" }, label), h("td", {}, shareBar(share, after?.[code], top)),
          h("td", {}, percent(share)), after && h("td", {}, percent(after[code])),
          random && h("td", { class: "dim" }, `${percent(control[1])} to ${percent(control[2])}`));
      }));
    };
    onFilter(update);
    return h("div", { class: "card scroll", tabindex: "0", role: "region", "aria-label": `Shares by ${group.name}` }, h("table", { class: "shares" }, h("caption", {}, group.name),
      h("thead", {}, head), body));
  });
  return section("shares", "Shares", "Where the rows come from, before and after. Click a value to filter.", h("div", { class: "cards wide" }, cards));
}
function groupShares(at) {
  const group = doc.groups[at];
  if (!live.mask) return group.kept ? group.kept.map((rows) => rows / Math.max(kept.rows, 1)) : null;
  const counts = new Array(group.values.length + 1).fill(0);
  live.mask.forEach((one, i) => { if (one) counts[sample.groups[at][i]]++; });
  return counts.map((rows) => rows / Math.max(live.inside, 1));
}
function shareBar(share, after, top) {
  const width = (value) => 120 * Math.min(value / Math.max(top, 1e-9), 1);
  return s("svg", { viewBox: "0 0 120 16", class: "sharebar", "aria-hidden": "true" }, s("rect", { class: "all", y: 1, width: width(share), height: 14 }),
    after === undefined || after === null ? null : s("rect", { class: "part", y: 5, width: width(after), height: 6 }));
}

function rewardsSection() {
  const found = doc.rewards;
  if (!found) return null;
  const parts = [];
  if (found.names.length > 1) {
    parts.push(table(["prefer the same response", ...found.names], found.names.map((name, i) =>
      [name, ...found.agree[i].map((one, j) => (i === j ? "" : percent(one)))]), { label: "Agreement of reward models", class: "numbers" }));
    parts.push(table(["models that prefer the chosen response", "pairs"], found.votes.map((rows, i) =>
      [`${i} of ${found.names.length}`, whole(rows)]), { label: "Votes", class: "numbers" }));
  }
  parts.push(table(["size of the margin", "pairs", "reward agrees with the label"], found.bands.map((one) =>
    [`${short(one.low)} to ${short(one.high)}`, whole(one.rows), percent(one.agrees / one.rows)]), { label: "Margin against label", class: "numbers" }));
  return section("rewards", "Rewards and labels", "Tenths of the pairs by the size of the reward margin: a reward that is calibrated against the label "
    + "agrees more often where its margin is larger. Labels made from the same reward agree everywhere.", parts);
}

const SEVERITY = { 3: "severe", 2: "look", 1: "unusual" };
function issuesSection() {
  if (!doc.issues.length) return section("issues", "Issues", "No row carries a flag, ties, or contradicts its label.");
  const rows = doc.issues.map((issue) => {
    const examples = (doc.sets[`issue:${issue.name}`] ?? []).map((at, i) => [" ", h("a", { href: `#${anchor(doc.pairs[at])}` }, `${i + 1}`)]);
    const act = issue.where && sample.issues.includes(issue.name)
      ? button("Filter", () => toggleIssue(issue.name), { "aria-label": `Filter to ${issue.name}` }) : "";
    return [h("span", {}, h("span", { class: `severity s${issue.severity}` }, SEVERITY[issue.severity]), " ", issue.name), issue.meaning, whole(issue.count),
      ...(kept ? [whole(issue.kept)] : []), [examples], act];
  });
  return section("issues", "Issues", "Most severe first.", table(["issue", "what it is", "rows", ...(kept ? ["kept"] : []), "examples", ""], rows,
    { label: "Issues", class: "issues" }));
}
