// Pictures of one explanation (doldari/inference/explanation.py says its shape): symbols, steps, attention, states.
import { el, percent, scroller, section, shown } from "./dom.js";
import { t } from "./strings.js";

// The output, a button for each symbol; the one of the chosen step is pressed.
export function outputSymbols(explanation, chosen, choose) {
  const tiles = explanation.steps.map((step, at) =>
    el("button", {
      type: "button", class: `tile${step.forced ? " forced" : ""}${step.output.id === 0 ? " end" : ""}`,
      "data-key": `tile-${at}`, "aria-pressed": String(at === chosen), "--p": step.output.probability, click: () => choose(at),
    }, step.output.id === 0 && said(t("end")), el("span", { class: "symbol" }, shown(step.output.symbol)),
    el("small", {}, percent(step.output.probability)), step.forced && said(t("forced"))));
  return el("div", { class: "tiles", role: "group", "aria-label": t("answer") }, tiles);
}

const said = (text) => el("span", { class: "hidden" }, ` ${text} `);

export function named(symbol) {
  return symbol.id === 0 ? t("end") : symbol.id === 1 ? t("start") : shown(symbol.symbol);
}

// What the model could have written in a step; `force` is called with the id of another symbol.
export function distribution(step, force) {
  const rows = step.top.map((one) => {
    const bar = [one.id === 0 && said(t("end")),
      el("span", { class: "symbol" }, shown(one.symbol)), el("span", { class: "bar" }, el("i", { "--w": one.probability })),
      el("span", { class: "number" }, percent(one.probability))];
    const written = one.id === step.output.id;
    return el("li", { class: written ? "written" : "" }, force && one.id !== 1 && one.id !== 2
      ? el("button", { type: "button", "data-key": `force-${one.id}`, click: () => force(one.id), "aria-pressed": String(written) }, bar, said(t("force")))
      : el("div", {}, bar));
  });
  return el("ol", { class: "distribution" }, rows);
}

// The chapter's figure: encoder and decoder unrolled over time, with the chosen step marked.
export function unrolled(explanation, chosen, choose) {
  const { source, reading, steps, encoder } = explanation;
  const attention = steps[chosen].attention;
  const most = Math.max(...(encoder?.change ?? [1]), 1e-6);
  const weight = (place, at) => (attention ? attention[place] : encoder ? encoder.change[at] / most : 0);
  const read = reading.map((place, at) =>
    el("li", { class: "cell" }, el("span", { class: "in symbol" }, shown(source[place])),
      el("span", { class: "box encoder", "--w": weight(place, at) }), el("span", { class: "out" })));
  const write = steps.map((step, at) =>
    el("li", { class: "cell" },
      el("button", {
        type: "button", class: "step", "data-key": `step-${at}`, "aria-current": at === chosen ? "step" : null, click: () => choose(at),
        keydown: (event) => arrow(event, at, steps.length, choose),
      }, said(t("stepOf", { t: at + 1, n: steps.length })), el("span", { class: "in symbol" }, shown(step.input.symbol)),
      el("span", { class: "box decoder" }), el("span", { class: "out symbol" }, shown(step.output.symbol)))));
  return scroller(t("steps"),
    el("div", { class: `unrolled${source.length + steps.length > 20 ? " dense" : ""}` },
      el("div", {}, el("p", { class: "caption" }, t("encoder")), el("ol", { class: "cells", "aria-label": t("encoder") }, read)),
      el("div", { class: "bridge" }, el("span", {}, t("bridge"))),
      el("div", {}, el("p", { class: "caption" }, t("decoder")), el("ol", { class: "cells", "aria-label": t("decoder") }, write))));
}

function arrow(event, at, count, choose) {
  const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: count - 1 }[event.key];
  if (to === undefined || to < 0 || to >= count) return;
  event.preventDefault();
  choose(to, `step-${to}`);
}

export function unrolledPanel(explanation, chosen, choose) {
  const note = explanation.steps[chosen].attention ? t("attended") : explanation.encoder ? t("moved") : "";
  return section(t("steps"), `${t("stepsNote")} ${note}`, unrolled(explanation, chosen, choose));
}

export function stepPanel(explanation, chosen, choose, force) {
  const step = explanation.steps[chosen], count = explanation.steps.length;
  return section(t("next"), t("went", { input: named(step.input) }),
    el("div", { class: "walk" },
      el("button", { type: "button", class: "quiet", "data-key": "before", "aria-disabled": String(chosen === 0), click: () => chosen > 0 && choose(chosen - 1), "aria-label": t("before") }, "←"),
      el("strong", {}, t("stepOf", { t: chosen + 1, n: count })),
      el("button", { type: "button", class: "quiet", "data-key": "after", "aria-disabled": String(chosen === count - 1), click: () => chosen < count - 1 && choose(chosen + 1), "aria-label": t("after") }, "→")),
    distribution(step, force),
    force && el("p", { class: "note" }, t("forceNote")));
}

export function nBestPanel(explanation) {
  const rows = explanation.n_best.map((one, at) =>
    el("tr", {}, el("td", { class: "number" }, at + 1), el("td", { class: "symbol wide" }, one.text || "—",
      one.flags.map((flag) => el("small", { class: "flag" }, t(flag)))),
    el("td", {}, el("span", { class: "bar" }, el("i", { "--w": one.probability }))), el("td", { class: "number" }, percent(one.probability))));
  return section(t("nbest"), t("nbestNote"), scroller(t("nbest"), el("table", { class: "nbest" },
    el("thead", { class: "hidden" }, el("tr", {}, [t("rank"), t("answer"), t("probability"), "%"].map((head) => el("th", { scope: "col" }, head)))),
    el("tbody", {}, rows))));
}

// Where the model looked: a table, so that it can be read as one.
export function attentionPanel(explanation, chosen) {
  const { source, steps } = explanation;
  if (!steps[0].attention) return null;
  const rows = steps.map((step, at) =>
    el("tr", { class: at === chosen ? "chosen" : "" }, el("th", { scope: "row", class: "symbol" }, shown(step.output.symbol)),
      step.attention.map((weight, place) =>
        el("td", { "--w": weight, class: weight > 0.5 ? "strong" : "", title: `${shown(step.output.symbol)} ← ${shown(source[place])}: ${percent(weight)}` },
          el("span", { class: "hidden" }, percent(weight))))));
  return section(t("attention"), t("attentionNote"), scroller(t("attention"), el("table", { class: "heat" },
    el("thead", {}, el("tr", {}, el("td", {}), source.map((symbol) => el("th", { scope: "col", class: "symbol" }, shown(symbol))))),
    el("tbody", {}, rows))));
}

export function statesPanel(explanation) {
  const sides = [["states", explanation.encoder], ["decoderStates", explanation.decoder]].filter(([, insides]) => insides);
  if (!sides.length) return null;
  const { states, units } = sides[0][1];
  return section(t("state"), t("statesNote", { k: states[0].length, n: units }),
    el("div", { class: "pair" }, sides.map(([title, insides]) => statesFigure(t(title), insides))));
}

// A layer's state, a column for each position and a row for each unit; above it, how far it moved.
function statesFigure(title, insides) {
  const { order, states, change } = insides;
  const rows = states[0]?.length ?? 0, most = Math.max(...change, 1e-6);
  const moved = order.map((_, at) => el("span", { class: "moved" }, el("i", { "--w": change[at] / most })));
  const canvas = el("canvas", { class: "strip", width: order.length, height: rows, role: "img",
    "aria-label": `${title}: ${order.map((symbol, at) => `${shown(symbol)} ${t("change")} ${change[at].toFixed(2)}`).join(", ")}` });
  paint(canvas, states);
  return el("figure", {}, el("figcaption", {}, title), scroller(title, el("div", { class: "states", "--n": order.length },
    el("div", { class: "columns", "aria-hidden": "true" }, moved), canvas,
    el("div", { class: "columns", "aria-hidden": "true" }, order.map((symbol) => el("span", { class: "symbol" }, shown(symbol)))))));
}

function paint(canvas, states) {
  const context = canvas.getContext("2d"), image = context.createImageData(canvas.width, canvas.height);
  const low = [178, 92, 44], high = [23, 97, 107];
  states.forEach((values, x) => values.forEach((value, y) => {
    const hue = value < 0 ? low : high, at = 4 * (y * canvas.width + x);
    image.data.set([...hue, Math.round(255 * Math.min(1, Math.abs(value)))], at);
  }));
  context.putImageData(image, 0, 0);
}
