// What is filtered: ranges of columns, values of groups, issues, and the best share by a metric.
const state = { ranges: new Map(), values: new Map(), issues: new Set(), by: doc.by, percent: 100 };
const listeners = [];
const live = { mask: null, rows: doc.head.rows, alive: doc.head.rows, cut: null };
const onFilter = (act) => listeners.push(act);
const filtered = () => state.ranges.size + state.values.size + state.issues.size > 0;
const selecting = () => filtered() || state.percent < 100;

function setRange(name, from, to) {
  const edges = numberOf(name).edges;
  const same = state.ranges.get(name);
  if (from === null || (same && same.from === from && same.to === to)) state.ranges.delete(name);
  else state.ranges.set(name, { from, to, low: edges[from], high: edges[to + 1], last: to === edges.length - 2 });
  changed();
}
function toggleValue(group, value) {
  const chosen = state.values.get(group) ?? new Set();
  if (!chosen.delete(value)) chosen.add(value);
  if (chosen.size) state.values.set(group, chosen); else state.values.delete(group);
  changed();
}
function toggleIssue(name) {
  if (!state.issues.delete(name)) state.issues.add(name);
  changed();
}
function clearAll() {
  state.ranges.clear(); state.values.clear(); state.issues.clear(); state.percent = 100;
  changed();
}

const inRange = (value, range) => value >= range.low && (range.last ? value <= range.high : value < range.high);

function maskOf() {
  const mask = new Uint8Array(sample.rows).fill(1);
  for (const [name, range] of state.ranges) {
    const values = column(name);
    for (let i = 0; i < mask.length; i++) if (mask[i] && !inRange(values[i], range)) mask[i] = 0;
  }
  for (const [name, chosen] of state.values) {
    const at = doc.groups.findIndex((one) => one.name === name);
    for (let i = 0; i < mask.length; i++) if (mask[i] && !chosen.has(sample.groups[at][i])) mask[i] = 0;
  }
  for (const name of state.issues) {
    const bit = 1 << sample.issues.indexOf(name);
    for (let i = 0; i < mask.length; i++) if (mask[i] && !(sample.bits[i] & bit)) mask[i] = 0;
  }
  return mask;
}

// The best share as `select --top` keeps it: floor(share * rows), rows without a value never, ties in sample order.
function cutDown(mask) {
  const values = column(state.by);
  const up = numberOf(state.by).high ? 1 : -1;
  const rows = [];
  let alive = 0;
  for (let i = 0; i < mask.length; i++) {
    alive += mask[i];
    if (mask[i] && !Number.isNaN(values[i])) rows.push(i);
  }
  const size = Math.min(Math.floor((state.percent * alive) / 100), rows.length);
  rows.sort((a, b) => up * (values[b] - values[a]) || a - b);
  const found = new Uint8Array(mask.length);
  for (const row of rows.slice(0, size)) found[row] = 1;
  live.cut = size ? values[rows[size - 1]] : null;
  return found;
}

function changed() {
  live.cut = null;
  live.mask = selecting() ? maskOf() : null;
  if (live.mask && state.percent < 100) live.mask = cutDown(live.mask);
  const inside = live.mask ? live.mask.reduce((sum, one) => sum + one, 0) : sample.rows;
  live.inside = inside;
  live.rows = !live.mask ? doc.head.rows : sample.whole ? inside : Math.round((inside * doc.head.rows) / sample.rows);
  live.exact = sample.whole || !filtered();
  if (!filtered() && state.percent < 100) {
    const curve = doc.cuts.metrics[state.by];
    live.rows = curve.kept[state.percent - 1];
    live.cut = curve.cut[state.percent - 1];
  }
  for (const act of listeners) act();
  say(`${about()}${whole(live.rows)} of ${whole(doc.head.rows)} rows.`);
}
const about = () => (live.exact ?? true ? "" : "About ");

// --- the equal command
const RESERVED = new Set(("all and any as asc between by case cast check column constraint create cross current default "
  + "delete desc distinct drop else end except exists false filter first for foreign from full grant group having in "
  + "index inner insert interval into is join key last left like limit natural not null offset on or order outer over "
  + "partition primary range right row rows select set some table then to true union unique update user using values "
  + "view when where window with date time timestamp").split(" "));
const identifier = (name) =>
  (/^[a-z_][a-z0-9_]*$/.test(name) && !RESERVED.has(name) ? name : `"${name.replaceAll('"', '""')}"`);
const literal = (text) => `'${text.replaceAll("'", "''")}'`;
// For a POSIX shell; in double quotes where the text has quotes of SQL and nothing that a shell would expand there.
function shell(text) {
  if (/^[\w@%+=:,./-]+$/.test(text)) return text;
  if (text.includes("'") && !/["$`\\!]/.test(text)) return `"${text}"`;
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function whereRange(name, range) {
  const one = numberOf(name);
  const id = identifier(name);
  const last = one.edges.length - 2;
  if (one.boolean) return range.from !== range.to ? `${id} IS NOT NULL` : `${id} = ${range.low === 1}`;
  if (range.from === 0 && range.to === last) return `${id} IS NOT NULL`;
  if (one.scale === "values" && range.from === range.to) return `${id} = ${range.low}`;
  const parts = [];
  if (range.from > 0) parts.push(`${id} >= ${range.low}`);
  if (range.to < last) parts.push(`${id} < ${range.high}`);
  return parts.join(" AND ");
}
function whereValues(name, chosen) {
  const group = doc.groups.find((one) => one.name === name);
  const id = identifier(name);
  const given = [...chosen].sort().map((at) => group.values[at]);
  const spelled = given.filter((one) => one !== null).map((one) => (group.number ? one : literal(one)));
  const parts = [];
  if (spelled.length === 1) parts.push(`${id} = ${spelled[0]}`);
  if (spelled.length > 1) parts.push(`${id} IN (${spelled.join(", ")})`);
  if (given.includes(null)) parts.push(`${id} IS NULL`);
  return parts.length > 1 ? `(${parts.join(" OR ")})` : parts[0];
}
function where() {
  return [
    ...[...state.ranges].map(([name, range]) => whereRange(name, range)),
    ...[...state.values].map(([name, chosen]) => whereValues(name, chosen)),
    ...[...state.issues].map((name) => doc.issues.find((one) => one.name === name).where),
  ].join(" AND ");
}
function command() {
  const parts = ["curate select", doc.head.data.map(shell).join(" ")];
  if (filtered()) parts.push("--where", shell(where()));
  if (state.percent < 100) parts.push("--by", shell(state.by), "--top", `${state.percent}%`);
  return [...parts, "-o selected.parquet"].join(" ");
}

// Whether a pair that is shown with its texts passes the filters (the best share aside).
function passes(pair) {
  for (const [name, range] of state.ranges) {
    const value = pair.numbers[place.get(name)];
    if (value === null || !inRange(value, range)) return false;
  }
  for (const [name, chosen] of state.values) {
    const at = doc.groups.findIndex((one) => one.name === name);
    if (!chosen.has(pair.groups[at])) return false;
  }
  for (const name of state.issues) if (!pair.issues.includes(name)) return false;
  if (state.percent < 100 && live.cut !== null) {
    const value = pair.numbers[place.get(state.by)];
    if (value === null || (numberOf(state.by).high ? value < live.cut : value > live.cut)) return false;
  }
  return true;
}
