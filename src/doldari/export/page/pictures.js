"use strict";

// The parts of the page that show an answer, each made of an explanation (explain.js).

/** Make an element; attributes that begin with "on" are listeners, and null ones are left out. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** Write a probability as per cent, never rounded to 0 or 100. */
function percent(p) {
  if (p > 0.9995) return p === 1 ? "100 %" : "> 99.9 %";
  if (p < 0.0005) return "< 0.1 %";
  return `${(100 * p).toFixed(p > 0.0995 && p < 0.995 ? 0 : 1)} %`;
}

/** Write a symbol so that it is seen: blanks, the start and the end. */
function shown(symbol, words) {
  if (symbol === "⊢") return words.start;
  if (symbol === "⏎") return words.end;
  return symbol === " " ? "␣" : symbol;
}

function isWord(symbol) {
  return symbol === "⊢" || symbol === "⏎";
}

/** A button for each symbol of the answer, with its probability; the chosen step is marked. */
function symbolButtons(explanation, chosen, words, choose) {
  return explanation.steps.map(({ wrote, probability }, n) =>
    make(
      "button",
      { type: "button", class: "symbol", "aria-pressed": String(n === chosen), onclick: () => choose(n) },
      make("span", { class: isWord(wrote) ? "glyph word" : "glyph" }, shown(wrote, words)),
      make("span", { class: "meter", style: `--share: ${probability}` }),
      make("span", { class: "share" }, percent(probability)),
    ),
  );
}

/** One step: what it read, and what could follow, each a button that forces it. */
function stepTable(step, words, force) {
  const rows = step.ways.map(({ id, symbol, probability }) => {
    const button = make(
      "button",
      { type: "button", "aria-pressed": String(id === step.id), onclick: () => force(id) },
      shown(symbol, words),
    );
    return make(
      "tr",
      {},
      make("th", { scope: "row" }, button),
      make("td", { class: "bar" }, make("span", { class: "meter", style: `--share: ${probability}` })),
      make("td", { class: "number" }, percent(probability)),
      make("td", {}, id === step.id ? words.wrote : ""),
    );
  });
  return make("table", { class: "ways" }, make("caption", {}, words.couldFollow), make("tbody", {}, ...rows));
}

/** A heat map: a row for each of `rows`, { name, shares }, a column for each name of `columns`. */
function heatMap(columns, rows, caption, words, chosen = -1) {
  const head = columns.map((name) => make("th", { scope: "col" }, shown(name, words)));
  const body = rows.map(({ name, shares }, n) => {
    const cells = shares.map((share) => {
      const text = make("span", { class: "unseen" }, percent(share));
      return make("td", { style: `--share: ${share.toFixed(4)}`, title: percent(share) }, text);
    });
    const label = make("th", { scope: "row", class: isWord(name) ? "word" : null }, shown(name, words));
    return make("tr", { class: n === chosen ? "chosen" : null }, label, ...cells);
  });
  return make(
    "table",
    { class: "heat" },
    make("caption", { class: "unseen" }, caption),
    make("thead", {}, make("tr", {}, make("td"), ...head)),
    make("tbody", {}, ...body),
  );
}

/** The answers of a beam search with their probabilities. */
function candidateTable(answers, words) {
  const rows = answers.map(({ text, score }) => {
    const p = Math.exp(score);
    return make(
      "tr",
      {},
      make("th", { scope: "row" }, text),
      make("td", { class: "bar" }, make("span", { class: "meter", style: `--share: ${p}` })),
      make("td", { class: "number" }, percent(p)),
    );
  });
  return make("table", { class: "ways" }, make("caption", { class: "unseen" }, words.candidates), make("tbody", {}, ...rows));
}
