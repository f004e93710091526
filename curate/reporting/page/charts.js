// Charts in SVG: histograms that filter, lines with a band, cells of two columns, mirrored bars.
const barOf = (edges, value) => {
  if (Number.isNaN(value) || value < edges[0] || value > edges[edges.length - 1]) return -1;
  let low = 0;
  let high = edges.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (value >= edges[middle]) low = middle; else high = middle;
  }
  return low;
};

// Rows of the sample in each bar of a column, scaled to the whole table; exact where the sample is the table.
function liveCounts(name) {
  const { edges } = numberOf(name);
  const values = column(name);
  const counts = new Array(edges.length - 1).fill(0);
  for (let i = 0; i < live.mask.length; i++) {
    if (!live.mask[i]) continue;
    const bar = barOf(edges, values[i]);
    if (bar >= 0) counts[bar]++;
  }
  return sample.whole ? counts : counts.map((one) => (one * doc.head.rows) / sample.rows);
}

function barText(one, bar, filled) {
  const [low, high] = [one.edges[bar], one.edges[bar + 1]];
  const what = one.scale === "values" ? short(low) : `${short(low)} to ${short(high)}`;
  const part = filled === null ? "" : `, ${live.mask ? (live.exact ? "" : "about ") : ""}${whole(Math.round(filled[bar]))} ${live.mask ? "selected" : "kept"}`;
  return `${what}: ${whole(one.counts[bar])} rows${part}`;
}

function histogram(one, width = 300, height = 96) {
  const bars = one.counts.length;
  const step = width / bars;
  const top = Math.max(...one.counts, 1);
  const y = (count) => (height - 4) * (count / top);
  const grey = one.counts.map((count, i) => s("rect", {
    class: "all", x: i * step + 0.5, width: Math.max(step - 1, 0.5), y: height - y(count), height: y(count) }));
  const front = one.counts.map((_, i) => s("rect", { class: "part", x: i * step + 0.5, width: Math.max(step - 1, 0.5) }));
  const shade = s("rect", { class: "shade", y: 0, height, width: 0 });
  const cursor = s("rect", { class: "cursor", y: 0, height, width: step });
  const tip = h("p", { class: "tip" });
  const node = s("svg", {
    viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", tabindex: "0", role: "slider", class: "histogram",
    "aria-label": `${one.name}: histogram. Arrow keys move, Shift extends, Enter filters, Escape clears`,
    "aria-valuemin": 0, "aria-valuemax": bars - 1,
  }, shade, grey, front, cursor);
  let filled = null;
  let at = 0;
  let anchor = 0;
  const rest = () => `${whole(doc.head.rows - one.missing)} rows${one.missing ? `, ${whole(one.missing)} without a value` : ""}`;
  const show = () => {
    const [from, to] = [Math.min(at, anchor), Math.max(at, anchor)];
    cursor.setAttribute("x", from * step);
    cursor.setAttribute("width", (to - from + 1) * step);
    node.setAttribute("aria-valuenow", at);
    node.setAttribute("aria-valuetext", barText(one, at, filled));
    tip.textContent = barText(one, at, filled);
  };
  const bar = (event) => {
    const box = node.getBoundingClientRect();
    return Math.max(0, Math.min(bars - 1, Math.floor(((event.clientX - box.left) / box.width) * bars)));
  };
  const apply = () => one.in_table && setRange(one.name, Math.min(at, anchor), Math.max(at, anchor));
  let down = false;
  node.addEventListener("pointerdown", (event) => {
    down = true; at = anchor = bar(event); node.setPointerCapture(event.pointerId); show();
  });
  node.addEventListener("pointermove", (event) => { at = bar(event); if (!down) anchor = at; show(); });
  node.addEventListener("pointerup", () => { if (down) { down = false; apply(); } });
  node.addEventListener("pointerleave", () => { if (!down) tip.textContent = rest(); });
  node.addEventListener("keydown", (event) => {
    const move = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageUp: 5, PageDown: -5, Home: -bars, End: bars }[event.key];
    if (move) { at = Math.max(0, Math.min(bars - 1, at + move)); if (!event.shiftKey) anchor = at; show(); }
    else if (event.key === "Enter" || event.key === " ") apply();
    else if (event.key === "Escape") setRange(one.name, null);
    else return;
    event.preventDefault();
  });
  const update = () => {
    filled = live.mask ? liveCounts(one.name) : one.kept;
    front.forEach((rect, i) => {
      const size = filled ? y(Math.min(filled[i], top)) : 0;
      rect.setAttribute("y", height - size);
      rect.setAttribute("height", size);
    });
    const range = state.ranges.get(one.name);
    shade.setAttribute("x", range ? range.from * step : 0);
    shade.setAttribute("width", range ? (range.to - range.from + 1) * step : 0);
    node.setAttribute("aria-valuetext", barText(one, at, filled));
    tip.textContent = rest();
  };
  onFilter(update);
  return { node, tip, update };
}

const percentTicks = (x, height) => [1, 25, 50, 75, 100].map((value) => s("text", {
  class: "tick", x: x(value - 1), y: height - 5, "text-anchor": value === 100 ? "end" : value === 1 ? "start" : "middle" }, `${value}%`));

// Lines over 1..100 percent: `lines` are [{label, values, band, class}], null where unknown.
function lineChart(label, lines, format, width = 340, height = 150) {
  const [left, bottom] = [54, 20];
  const known = lines.flatMap((one) => [...one.values, ...(one.band ?? []).flat()]).filter((one) => one !== null);
  let [low, high] = [Math.min(...known), Math.max(...known)];
  if (!known.length) [low, high] = [0, 1];
  if (low === high) { low -= 0.5; high += 0.5; }
  const x = (i) => left + ((width - left - 6) * i) / 99;
  const y = (value) => 6 + (height - bottom - 10) * (1 - (value - low) / (high - low));
  const path = (values) => values.map((value, i) => (value === null ? null : `${x(i).toFixed(1)},${y(value).toFixed(1)}`))
    .filter(Boolean).join(" ");
  const marker = s("line", { class: "marker", y1: 4, y2: height - bottom });
  const node = s("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label },
    [low, (low + high) / 2, high].map((value) => [
      s("line", { class: "grid", x1: left, x2: width - 6, y1: y(value), y2: y(value) }),
      s("text", { class: "tick", x: left - 5, y: y(value) + 4, "text-anchor": "end" }, format(value))]),
    percentTicks(x, height),
    lines.map((one) => one.band && s("polygon", { class: "band",
      points: `${path(one.band.map((b) => b[0]))} ${one.band.map((b, i) => (b[1] === null ? null : `${x(i).toFixed(1)},${y(b[1]).toFixed(1)}`)).filter(Boolean).reverse().join(" ")}` })),
    lines.map((one) => s("polyline", { class: `line ${one.class}`, points: path(one.values) })), marker);
  const mark = (at) => { marker.setAttribute("x1", x(at - 1)); marker.setAttribute("x2", x(at - 1)); };
  return { node, mark };
}

// Shares stacked to 100%, for every percent.
function stackChart(label, counts, width = 340, height = 150) {
  const [left, bottom] = [54, 20];
  const x = (i) => left + ((width - left - 6) * i) / 99;
  const y = (share) => 6 + (height - bottom - 10) * (1 - share);
  const totals = counts[0].map((_, i) => counts.reduce((sum, one) => sum + one[i], 0));
  let below = totals.map(() => 0);
  const areas = counts.map((one, k) => {
    const above = one.map((count, i) => below[i] + (totals[i] ? count / totals[i] : 0));
    const known = totals.map((total, i) => (total ? i : -1)).filter((i) => i >= 0);
    const points = [...known.map((i) => `${x(i).toFixed(1)},${y(above[i]).toFixed(1)}`),
      ...known.reverse().map((i) => `${x(i).toFixed(1)},${y(below[i]).toFixed(1)}`)].join(" ");
    below = above;
    return s("polygon", { class: `area c${k % 9}`, points });
  });
  const marker = s("line", { class: "marker", y1: 4, y2: height - bottom });
  const node = s("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label }, areas,
    [0, 0.5, 1].map((value) => s("text", { class: "tick", x: left - 5, y: y(value) + 4, "text-anchor": "end" }, percent(value, 0))),
    percentTicks(x, height), marker);
  return { node, mark: (at) => { marker.setAttribute("x1", x(at - 1)); marker.setAttribute("x2", x(at - 1)); } };
}

// Two columns against each other: a cell is darker the more rows it has, its inner square grows with the selected share.
function cells(first, second, width = 640, height = 400) {
  const [one, two] = [numberOf(first), numberOf(second)];
  const [nx, ny] = [one.counts.length, two.counts.length];
  const [left, bottom] = [60, 34];
  const [sx, sy] = [(width - left - 8) / nx, (height - bottom - 8) / ny];
  const [xs, ys] = [column(first), column(second)];
  const all = new Float64Array(nx * ny);
  const part = new Float64Array(nx * ny);
  const chosen = live.mask ?? sample.kept;
  for (let i = 0; i < sample.rows; i++) {
    const [a, b] = [barOf(one.edges, xs[i]), barOf(two.edges, ys[i])];
    if (a < 0 || b < 0) continue;
    all[a * ny + b]++;
    if (chosen && chosen[i]) part[a * ny + b]++;
  }
  const top = Math.log1p(all.reduce((high, value) => Math.max(high, value), 1));
  const marks = [];
  for (let a = 0; a < nx; a++) for (let b = 0; b < ny; b++) {
    const count = all[a * ny + b];
    if (!count) continue;
    const [x, y] = [left + a * sx, 8 + (ny - 1 - b) * sy];
    marks.push(s("rect", { class: "cell", x, y, width: sx, height: sy, "fill-opacity": (0.12 + (0.88 * Math.log1p(count)) / top).toFixed(3) }));
    const share = part[a * ny + b] / count;
    if (share) {
      const side = Math.max(Math.sqrt(share), 0.25);
      marks.push(s("rect", { class: "part", x: x + (sx * (1 - side)) / 2, y: y + (sy * (1 - side)) / 2, width: sx * side, height: sy * side }));
    }
  }
  const ticks = (edges, n) => [0, 0.25, 0.5, 0.75, 1].map((at) => [Math.round(at * n), edges[Math.round(at * n)]]);
  const brush = s("rect", { class: "brush", width: 0, height: 0 });
  const node = s("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", class: "cells",
    "aria-label": `${first} against ${second}, ${whole(sample.rows)} rows. The histograms above filter both by keyboard.` },
    marks, cutLines(one, two, left, sx, sy, ny, width, height, bottom),
    ticks(one.edges, nx).map(([at, value]) => s("text", { class: "tick", x: left + at * sx, y: height - 18, "text-anchor": at ? (at === nx ? "end" : "middle") : "start" }, short(value))),
    ticks(two.edges, ny).map(([at, value]) => s("text", { class: "tick", x: left - 6, y: Math.max(14, 12 + (ny - at) * sy), "text-anchor": "end" }, short(value))),
    s("text", { class: "axis", x: width - 8, y: height - 3, "text-anchor": "end" }, `${first} →`),
    s("text", { class: "axis", x: 4, y: height - 3 }, `↑ ${second}`), brush);
  brushing(node, brush, one, two, { left, sx, sy, nx, ny, width, height });
  return node;
}

function cutLines(one, two, left, sx, sy, ny, width, height, bottom) {
  const value = live.cut ?? (live.mask ? null : doc.head.cut);
  const by = live.mask ? state.by : doc.by;
  if (value === null) return [];
  const lines = [];
  if (one.name === by) {
    const x = left + barOf(one.edges, value) * sx + (one.high ? 0 : sx);
    lines.push(s("line", { class: "cut", x1: x, x2: x, y1: 8, y2: height - bottom }));
  }
  if (two.name === by) {
    const y = 8 + (ny - barOf(two.edges, value) - (two.high ? 0 : 1)) * sy;
    lines.push(s("line", { class: "cut", x1: left, x2: width - 8, y1: y, y2: y }));
  }
  return lines;
}

function brushing(node, brush, one, two, at) {
  let start = null;
  const cell = (event) => {
    const box = node.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * at.width;
    const y = ((event.clientY - box.top) / box.height) * at.height;
    return [Math.max(0, Math.min(at.nx - 1, Math.floor((x - at.left) / at.sx))),
      Math.max(0, Math.min(at.ny - 1, at.ny - 1 - Math.floor((y - 8) / at.sy)))];
  };
  const box = (event) => {
    const end = cell(event);
    return [Math.min(start[0], end[0]), Math.max(start[0], end[0]), Math.min(start[1], end[1]), Math.max(start[1], end[1])];
  };
  node.addEventListener("pointerdown", (event) => { start = cell(event); node.setPointerCapture(event.pointerId); });
  node.addEventListener("pointermove", (event) => {
    if (!start) return;
    const [a, b, c, d] = box(event);
    brush.setAttribute("x", at.left + a * at.sx);
    brush.setAttribute("width", (b - a + 1) * at.sx);
    brush.setAttribute("y", 8 + (at.ny - 1 - d) * at.sy);
    brush.setAttribute("height", (d - c + 1) * at.sy);
  });
  node.addEventListener("pointerup", (event) => {
    if (!start) return;
    const [a, b, c, d] = box(event);
    start = null;
    if (two.in_table) state.ranges.delete(two.name);
    if (one.in_table) { state.ranges.delete(one.name); setRange(one.name, a, b); }
    if (two.in_table && two.name !== one.name) setRange(two.name, c, d);
  });
}

// Lengths: chosen upwards, rejected downwards, what was kept drawn in.
function mirrored(label, edges, back, front, height = 240) {
  const width = Math.max(340, Math.min(1100, innerWidth - 60));
  const bars = edges.length - 1;
  const step = width / bars;
  const middle = (height - 18) / 2;
  const top = Math.max(...back[0], ...back[1], 1);
  const draw = (counts, kind, up) => counts.map((count, i) => {
    const size = (middle - 4) * (count / top);
    return s("rect", { class: kind, x: i * step + 0.5, width: Math.max(step - 1, 0.5), y: up ? middle - size : middle, height: size });
  });
  return s("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label },
    draw(back[0], "all", true), draw(back[1], "all", false),
    front && [draw(front[0], "part", true), draw(front[1], "other", false)],
    s("line", { class: "grid", x1: 0, x2: width, y1: middle, y2: middle }),
    s("text", { class: "tick", x: width - 4, y: 12, "text-anchor": "end" }, "chosen ↑"),
    s("text", { class: "tick", x: width - 4, y: height - 22, "text-anchor": "end" }, "rejected ↓"),
    [0, 0.25, 0.5, 0.75, 1].map((at) => s("text", { class: "tick", x: at * width, y: height - 4,
      "text-anchor": at === 0 ? "start" : at === 1 ? "end" : "middle" }, short(Math.round(edges[Math.round(at * bars)])))));
}
