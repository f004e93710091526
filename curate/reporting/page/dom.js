// Elements. Text only ever becomes text nodes: nothing from the data is parsed as markup.
const SVG = "http://www.w3.org/2000/svg";

function fill(node, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "style") Object.assign(node.style, value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(3).filter((one) => one !== null && one !== undefined && one !== false));
  return node;
}
const h = (tag, props, ...children) => fill(document.createElement(tag), props, children);
const s = (tag, props, ...children) => fill(document.createElementNS(SVG, tag), props, children);
const replace = (node, ...children) => node.replaceChildren(...children.flat(3).filter(Boolean));
const say = (text) => { document.getElementById("said").textContent = text; };

function button(text, act, props) {
  return h("button", { type: "button", onclick: act, ...props }, text);
}

function choose(label, names, chosen, act) {
  const select = h("select", { onchange: (event) => act(event.target.value) },
    names.map((name) => h("option", { value: name, selected: name === chosen }, name)));
  return h("label", { class: "choose" }, h("span", {}, label), select);
}

function copyable(text) {
  const code = h("code", {}, text);
  const act = async () => {
    try {
      await navigator.clipboard.writeText(code.textContent);
    } catch {
      const range = document.createRange();
      range.selectNodeContents(code);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      document.execCommand("copy");
    }
    say("Command copied.");
    copy.textContent = "Copied";
    setTimeout(() => { copy.textContent = "Copy"; }, 1500);
  };
  const copy = button("Copy", act, { class: "copy" });
  return { node: h("div", { class: "command" }, code, copy), set: (value) => { code.textContent = value; } };
}

function section(id, title, about, ...children) {
  return h("section", { id, "aria-labelledby": `${id}-title` },
    h("h2", { id: `${id}-title` }, title), about && h("p", { class: "about" }, about), ...children);
}

function table(head, rows, props) {
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": props.label },
    h("table", { class: props.class },
      h("thead", {}, h("tr", {}, head.map((one) => h("th", { scope: "col" }, one)))),
      h("tbody", {}, rows.map(([first, ...rest]) =>
        h("tr", {}, h("th", { scope: "row" }, first), rest.map((one) => h("td", {}, one)))))));
}
