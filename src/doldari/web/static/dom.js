// Elements, made of text and attributes alone: nothing that a model or a user writes is ever read as HTML.

export function el(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

export function svg(name, attributes = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function filled(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(key, value);
    else if (key.startsWith("--")) node.style.setProperty(key, value);
    else if (value === true) node.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(key, value);
  }
  node.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

// A section with a heading.
export function section(title, note, ...children) {
  return el("section", { class: "panel" }, el("h2", {}, title), note && el("p", { class: "note" }, note), children);
}

// What is wider than the page scrolls by itself, and can be reached with the keyboard.
export function scroller(label, ...children) {
  return el("div", { class: "scroller", role: "group", tabindex: "0", "aria-label": label }, children);
}

export function percent(share) {
  if (share >= 0.9995 && share < 1) return "> 99.9 %";
  if (share > 0 && share < 0.0005) return "< 0.1 %";
  return `${(share * 100).toFixed(share >= 0.0995 && share < 0.995 ? 0 : 1).replace(/\.0$/, "")} %`;
}

// A blank and other symbols that nobody would see.
export function shown(symbol) {
  if (symbol === " ") return "␣";
  if (symbol === "\t") return "⇥";
  const mark = /^\p{M}/u.test(symbol);
  return mark ? `◌${symbol}` : symbol;
}
