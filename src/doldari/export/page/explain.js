"use strict";

// What is shown of an answer: every step, with what went in, what could have come out, and where the model looked.

const SHOWN = 5; // ways on of each step

/**
 * Answer a text greedily after the ids of `forced`, and say how.  `source` and `target` are symbols, those of the
 * target with the end; `steps` are as many as these: { read, wrote, probability, ways: [{ id, symbol, probability }],
 * attention }, where attention (one number a source symbol) is null for models without; `moved` says how far each
 * source symbol moved the encoder's state, the farthest 1, or is null.
 */
function explain(model, text, { unknown, forced = [] }) {
  const question = questionOf(model, text, unknown), { reverse } = model.about.model;
  const { steps, answer } = greedyPath(model, question, SHOWN, forced);
  const copied = unknown === "copy" ? model.source.unknownSymbols(text) : [];
  const inOrder = (numbers) => (reverse ? [...numbers].reverse() : [...numbers]);
  const name = (id) => model.target.name(id);
  return {
    source: model.source.spell(text),
    target: steps.map(({ taken }) => name(taken)),
    text: model.target.decode(answer.ids, copied),
    probability: Math.exp(answer.score),
    cut: answer.cut,
    steps: steps.map(({ read, taken, logs, ways, weights }) => ({
      read: name(read),
      wrote: name(taken),
      id: taken,
      probability: Math.exp(logs[taken]),
      ways: ways.map(({ id, log }) => ({ id, symbol: name(id), probability: Math.exp(log) })),
      attention: weights && inOrder(weights),
    })),
    moved: steps[0].weights ? null : inOrder(movement(model.net, question.ids)),
  };
}

/** How far each id moves the encoder's top state, of an ensemble its first member's; the farthest is 1. */
function movement(net, ids) {
  const { hs } = (net.members?.[0] ?? net).encoder.forward(ids);
  const distances = hs.map((h, t) => Math.hypot(...h.map((number, n) => number - (t > 0 ? hs[t - 1][n] : 0))));
  const farthest = Math.max(...distances);
  return distances.map((distance) => distance / farthest);
}
