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

/** Write a symbol, { id, symbol }, so that it is seen: blanks, and the start and the end as words. */
function shown({ id, symbol }, words) {
  if (id === START) return words.start;
  if (id === PADDING) return words.end;
  return symbol === " " ? "␣" : symbol;
}

function isWord({ id }) {
  return id === START || id === PADDING;
}

function meter(share) {
  return make("span", { class: "meter", style: `--share: ${share}` });
}

/** A button for each symbol of the answer, with its probability; the chosen step is marked. */
function symbolButtons(steps, chosen, words, choose) {
  return steps.map(({ output }, n) =>
    make(
      "button",
      { type: "button", class: "symbol", "aria-pressed": String(n === chosen), onclick: () => choose(n) },
      make("span", { class: isWord(output) ? "glyph word" : "glyph" }, shown(output, words)),
      meter(output.probability),
      make("span", { class: "share" }, percent(output.probability)),
    ),
  );
}

/** What could follow at a step, each symbol a button that forces it. */
function stepTable({ output, top }, words, force) {
  const rows = top.map((symbol) => {
    const isTaken = symbol.id === output.id;
    const button = make(
      "button",
      { type: "button", "aria-pressed": String(isTaken), onclick: () => force(symbol.id) },
      shown(symbol, words),
    );
    return make(
      "tr",
      {},
      make("th", { scope: "row" }, button),
      make("td", { class: "bar" }, meter(symbol.probability)),
      make("td", { class: "number" }, percent(symbol.probability)),
      make("td", { class: "taken" }, isTaken ? words.wrote : ""),
    );
  });
  return make("table", { class: "ways" }, make("caption", {}, words.couldFollow), make("tbody", {}, ...rows));
}

/** A heat map: a row for each of `rows`, { symbol, shares }, a column for each symbol of the source. */
function heatMap(source, rows, caption, words, chosen = -1) {
  const head = source.map((symbol) => make("th", { scope: "col" }, shown({ symbol }, words)));
  const body = rows.map(({ symbol, shares }, n) => {
    const cells = shares.map((share) => {
      const text = make("span", { class: "unseen" }, percent(share));
      return make("td", { style: `--share: ${share.toFixed(4)}`, title: percent(share) }, text);
    });
    const label = make("th", { scope: "row", class: isWord(symbol) ? "word" : null }, shown(symbol, words));
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
      make("td", { class: "bar" }, meter(p)),
      make("td", { class: "number" }, percent(p)),
    );
  });
  const caption = make("caption", { class: "unseen" }, words.candidates);
  return make("table", { class: "ways" }, caption, make("tbody", {}, ...rows));
}
