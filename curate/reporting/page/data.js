// The document, its sample of rows, and how numbers are spelled.
const doc = JSON.parse(document.getElementById("data").textContent);

const bytes = (text) => Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
const floats = (text) => new Float64Array(bytes(text).buffer);

const sample = {
  rows: doc.sample.rows,
  whole: doc.sample.rows === doc.head.rows,
  numbers: doc.sample.numbers.map(floats),
  groups: doc.sample.groups.map(bytes),
  issues: doc.sample.issues,
  bits: new Uint32Array(bytes(doc.sample.bits).buffer),
  kept: doc.sample.kept === null ? null : bytes(doc.sample.kept),
};
const place = new Map(doc.numbers.map((one, i) => [one.name, i]));
const column = (name) => (place.has(name) ? sample.numbers[place.get(name)] : null);
const numberOf = (name) => doc.numbers[place.get(name)];

sample.margin = column("reward_margin") ?? (doc.sample.margin === null ? null : floats(doc.sample.margin));
const sides = doc.head.length_unit === "tokens"
  ? ["chosen_tokens", "rejected_tokens"] : ["words of chosen", "words of rejected"];
sample.chosen = column(sides[0]);
sample.rejected = column(sides[1]);

const MISSING = "–";
const whole = (value) => value.toLocaleString("en-US");
const percent = (share, digits = 1) => (share === null || Number.isNaN(share) ? MISSING : `${(100 * share).toFixed(digits)}%`);

function short(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return MISSING;
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e7) return whole(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) return value.toExponential(2);
  return String(Number(value.toPrecision(4)));
}
