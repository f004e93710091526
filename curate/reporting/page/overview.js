// The head of the page, and the bar that says what is filtered.
const kept = doc.head.selection;

function drawHead() {
  const { head } = doc;
  const rejected = Object.values(head.rejected).reduce((sum, one) => sum + one, 0);
  const facts = [["rows", whole(head.rows)], ["rejected", whole(rejected)]];
  if (head.prompts !== null) facts.push(["prompts", whole(head.prompts)]);
  if (kept) facts.push(["kept", `${whole(kept.rows)} (${percent(kept.rows / head.rows)})`]);
  if (doc.by) facts.push([kept ? "selected by" : "metric in use", doc.by]);
  if (kept && head.cut !== null) facts.push(["cut at", short(head.cut)]);
  for (const [role, model] of Object.entries(head.models)) facts.push([role, model]);
  const reasons = [...Object.entries(head.rejected).map(([why, rows]) => `${whole(rows)} rejected: ${why}`),
    ...Object.entries(head.decided?.reasons ?? {}).map(([why, rows]) => `${whole(rows)} not kept: ${why}`)];
  replace(document.getElementById("head"),
    h("div", { class: "title" }, h("h1", {}, head.name), h("div", { class: "tools" },
      button("Download data (JSON)", download), button("Print", () => print()))),
    h("dl", { class: "facts" }, facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))),
    reasons.length ? h("ul", { class: "reasons" }, reasons.map((one) => h("li", {}, one))) : null,
    head.notes.map((note) => h("p", { class: "note" }, note)),
    head.commands.length ? h("details", {}, h("summary", {}, "How it was made"), head.commands.map((one) => copyable(one).node)) : null,
    head.manifests.length || kept?.manifest ? h("details", {}, h("summary", {}, "Manifest"),
      h("pre", { tabindex: "0" }, JSON.stringify(kept?.manifest ?? head.manifests, null, 1))) : null);
}

function download() {
  const text = document.getElementById("data").textContent;
  const link = h("a", { href: URL.createObjectURL(new Blob([text], { type: "application/json" })), download: "report.json" });
  link.click();
  URL.revokeObjectURL(link.href);
}

function drawBar() {
  const line = copyable("");
  const count = h("strong", {});
  const chips = h("span", { class: "chips" });
  const clear = button("Clear", clearAll, { class: "clear" });
  replace(document.getElementById("bar"), h("div", { class: "state" }, count, chips, clear), line.node);
  const chip = (text, remove) => button(`${text} ✕`, remove, { class: "chip", "aria-label": `Remove filter ${text}` });
  const update = () => {
    count.textContent = selecting()
      ? `${live.exact ? "" : "≈ "}${whole(live.rows)} of ${whole(doc.head.rows)} rows`
      : `All ${whole(doc.head.rows)} rows${kept ? `, ${whole(kept.rows)} kept` : ""}`;
    replace(chips,
      [...state.ranges].map(([name, range]) => chip(whereRange(name, range), () => setRange(name, null))),
      [...state.values].map(([name, chosen]) => chip(whereValues(name, chosen), () => { state.values.delete(name); changed(); })),
      [...state.issues].map((name) => chip(name, () => toggleIssue(name))),
      state.percent < 100 ? chip(`top ${state.percent}% by ${state.by}`, () => { state.percent = 100; changed(); }) : null,
      !live.exact && filtered() ? h("span", { class: "hint" }, `estimated from ${whole(sample.rows)} random rows`) : null);
    clear.hidden = !selecting();
    line.node.hidden = !selecting() && !doc.head.decided?.rule;
    line.set(selecting() ? command() : doc.head.decided?.rule ?? "");
    if (!selecting() && !doc.head.decided) {
      replace(chips, h("span", { class: "hint" }, "Click or drag a histogram, or move the threshold: the equal command appears here."));
    }
  };
  onFilter(update);
}
