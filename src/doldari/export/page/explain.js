"use strict";

// All that the page shows of an answer, as one object.

const SHOWN = 5; // of the symbols that could follow, at each step

/**
 * Answer a text greedily after the ids of `forced`, and say how:
 *
 *   source    [symbol, ...]   features first, in the order of the text
 *   answer    { text, probability, flags }
 *   steps     [{ input: { id, symbol }, output: Symbol, top: [Symbol, ...], attention }, ...], with one for the end;
 *             Symbol is { id, symbol, probability }; attention has a weight for each of source, or is null
 *   encoder   { change: [number, ...] }, how far each of source moved the encoder's state; null with attention
 */
function explain(model, text, { unknown, forced = [] }) {
  const question = questionOf(model, text, unknown), { reverse } = model.about.model;
  const { steps, answer } = greedyPath(model, question, SHOWN, forced);
  const copied = unknown === "copy" ? model.source.unknownSymbols(text) : [];
  const inOrder = (numbers) => (reverse ? [...numbers].reverse() : [...numbers]);
  const symbol = (id, log) => ({ id, symbol: model.target.name(id), probability: Math.exp(log) });
  return {
    source: model.source.spell(text),
    answer: {
      text: model.target.decode(answer.ids, copied),
      probability: Math.exp(answer.score),
      flags: answer.cut ? ["limit"] : [],
    },
    steps: steps.map(({ read, taken, logs, ways, weights }) => ({
      input: { id: read, symbol: model.target.name(read) },
      output: symbol(taken, logs[taken]),
      top: ways.map(({ id, log }) => symbol(id, log)),
      attention: weights && inOrder(weights),
    })),
    encoder: steps[0].weights ? null : { change: inOrder(changes(model.net, question.ids)) },
  };
}

/** How far each id moves the encoder's top state; of an ensemble, that of its first member. */
function changes(net, ids) {
  const { hs } = (net.members?.[0] ?? net).encoder.forward(ids);
  return hs.map((h, t) => Math.hypot(...h.map((number, n) => number - (t > 0 ? hs[t - 1][n] : 0))));
}
