// Pairs with their texts: which words differ, every number, and why each was kept or not.
const SETS = { best: "Best", worst: "Worst", cut: "At the cut", disagree: "Metrics disagree", random: "Random",
  only_first: `Only in ${doc.compared?.files[0]}`, only_second: `Only in ${doc.compared?.files[1]}` };
const anchor = (pair) => `pair-${pair.id ?? pair.row}`;
const LISTED = "as listed";
const LONG = 900;
// Never 0% or 100%: half of a row is above the best one and below the worst.
const rankText = (share) => percent(share, share > 0.999 || share < 0.001 ? 3 : 1);

function pairsSection() {
  const names = Object.keys(doc.sets).filter((name) => doc.sets[name].length);
  const view = { set: names.includes("best") ? "best" : names[0], sort: "", up: false };
  const list = h("div", { class: "pairs" });
  const count = h("p", { class: "hint" });
  const label = (name) => SETS[name] ?? name.replace("issue:", "issue: ");
  const tabs = h("div", { class: "tabs", role: "group", "aria-label": "Which pairs" });
  const draw = () => {
    replace(tabs, [...names, "every"].map((name) => button(name === "every" ? "All of these" : label(name),
      () => { view.set = name; draw(); }, { "aria-pressed": String(view.set === name) })));
    let shown = (view.set === "every" ? doc.pairs.map((_, at) => at) : doc.sets[view.set]).map((at) => doc.pairs[at]);
    const all = shown.length;
    shown = shown.filter(passes);
    if (view.sort) {
      const at = place.get(view.sort);
      const sign = view.up ? 1 : -1;
      shown = [...shown].sort((a, b) => (a.numbers[at] === null) - (b.numbers[at] === null) || sign * (a.numbers[at] - b.numbers[at]));
    }
    count.textContent = shown.length < all ? `${shown.length} of these ${all} pairs pass the filter.` : "";
    replace(list, shown.map(article));
  };
  const sorting = choose("Sort by", [LISTED, ...doc.numbers.map((one) => one.name)], LISTED, (name) => { view.sort = name === LISTED ? "" : name; draw(); });
  const turn = button("Highest first", (event) => { view.up = !view.up; event.target.textContent = view.up ? "Lowest first" : "Highest first"; draw(); });
  onFilter(draw);
  addEventListener("hashchange", () => reveal(view, draw));
  draw();
  queueMicrotask(() => reveal(view, draw));
  addEventListener("beforeprint", () => list.querySelectorAll("details").forEach((one) => { one.open = true; }));
  return section("pairs", "Pairs", "Words that are not in the other response are marked. Each pair has an address: its pair_id.",
    h("div", { class: "controls" }, tabs), h("div", { class: "controls" }, sorting, turn), count, list);
}

function reveal(view, draw) {
  const wanted = decodeURIComponent(location.hash.slice(1));
  if (!wanted.startsWith("pair-")) return;
  if (!document.getElementById(wanted) && doc.pairs.some((pair) => anchor(pair) === wanted)) {
    view.set = "every";
    draw();
  }
  document.getElementById(wanted)?.scrollIntoView({ behavior: "instant" });
}

function article(pair) {
  const by = doc.by && place.has(doc.by) ? pair.numbers[place.get(doc.by)] : null;
  return h("article", { id: anchor(pair), class: "pair" },
    h("header", {}, h("a", { href: `#${anchor(pair)}`, class: "id", title: "Link to this pair" }, pair.id ?? `row ${pair.row}`),
      pair.kept === null ? null : h("span", { class: pair.kept ? "badge yes" : "badge no" }, pair.kept ? "kept" : "not kept"),
      pair.other === null ? null : h("span", { class: pair.other ? "badge yes" : "badge no" }, `${pair.other ? "" : "not "}in ${doc.compared.files[1]}`),
      doc.by && h("span", { class: "badge" }, `${doc.by} ${short(by)}`), pair.issues.map((one) => h("span", { class: "badge warn" }, one))),
    h("p", { class: "why" }, why(pair, by)),
    pair.prompt === null ? h("p", { class: "hint" }, "No texts.") : [
      h("div", { class: "prompt" }, pair.prompt.map(([role, text]) => folded([h("b", {}, `${role}: `), text], text.length))),
      h("div", { class: "sides" }, side("Chosen", pair.chosen, "chosen", pair), side("Rejected", pair.rejected, "rejected", pair))],
    pair.cut ? h("p", { class: "hint" }, `${whole(pair.cut)} characters of these texts are not in the page.`) : null,
    numbersOf(pair));
}

function side(title, pieces, kind, pair) {
  const length = pieces.reduce((sum, [, text]) => sum + text.length, 0);
  const reward = pair.numbers[place.get(`${kind}_reward`)];
  return h("div", { class: `side ${kind}` }, h("h4", {}, title, reward === undefined ? "" : h("span", { class: "unit" }, ` reward ${short(reward)}`)),
    folded(pieces.map(([differs, text]) => (differs ? h("mark", {}, text) : text)), length));
}

function folded(content, length) {
  const text = h("div", { class: "text" }, content);
  if (length <= LONG) return text;
  text.classList.add("folded");
  const more = button(`Show all ${whole(length)} characters`, () => {
    const folded = text.classList.toggle("folded");
    more.textContent = folded ? `Show all ${whole(length)} characters` : "Fold";
    more.setAttribute("aria-expanded", String(!folded));
  }, { class: "link", "aria-expanded": "false" });
  return h("div", {}, text, more);
}

function why(pair, by) {
  const { cut, decided } = doc.head;
  const rank = doc.by ? pair.best[place.get(doc.by)] : null;
  const better = rank === null || rank === undefined ? "" : ` Better than ${rankText(rank)} of the rows by ${doc.by}.`;
  if (pair.kept === null) return better.trim();
  const rule = decided?.rule ? ` Rule: ${decided.rule.replace(/ -o OUT.parquet$/, "")}.` : "";
  if (cut === null || by === null) {
    return `${pair.kept ? "Kept" : "Not kept"}${by === null && doc.by ? `: it has no value of ${doc.by}` : ""}.${better}${rule}`;
  }
  const sign = numberOf(doc.by).high ? 1 : -1;
  const apart = sign * (by - cut);
  const distance = apart === 0 ? "exactly at" : `${short(Math.abs(apart))} ${apart > 0 ? "better than" : "short of"}`;
  if (pair.kept) return `Kept: ${doc.by} is ${short(by)}, ${distance} the cut at ${short(cut)}.${better}${rule}`;
  const reason = apart > 0 ? "so another part of the rule left it out" : apart === 0 ? "and ties are broken by pair_id" : "";
  return `Not kept: ${doc.by} is ${short(by)}, ${distance} the cut at ${short(cut)}${reason && `, ${reason}`}.${better}${rule}`;
}

function numbersOf(pair) {
  const rows = doc.numbers.map((one, i) => [one.name, short(pair.numbers[i]), one.unit,
    pair.best[i] === null ? "" : [s("svg", { viewBox: "0 0 100 10", class: "rank", "aria-hidden": "true" }, s("rect", { class: "all", width: 100, height: 10 }),
      s("rect", { class: "part", width: 100 * pair.best[i], height: 10 })), ` better than ${rankText(pair.best[i])}`]]);
  const groups = doc.groups.map((group, i) => {
    const value = group.values[pair.groups[i]];
    return [group.name, value === undefined ? "another value" : value ?? "(none)", "", ""];
  });
  return h("details", { class: "all-numbers" }, h("summary", {}, "All its numbers"),
    table(["", "value", "unit", "among all rows"], [...groups, ...rows], { label: "All numbers of this pair", class: "numbers" }));
}
