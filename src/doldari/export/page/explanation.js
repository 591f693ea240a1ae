"use strict";

// A prediction with all that led to it, in the shape that doldari/inference/explanation.py describes.

const TOP = 10; // symbols that could follow, at each step
const MOST_UNITS = 64; // of a layer whose states are told
const GATES = { lstm: { f: 0, i: 2, o: 3 }, gru: { r: 0, z: 1 } }; // their places among a layer's blocks

/** Predict a text, by beam search or, after the ids of `forced`, greedily; Unreadable as in `answersTo`. */
function explanationOf(model, text, { unknown = "error", beam = 1, forced = [] }) {
  const question = questionOf(model, text, unknown), { source, target, about } = model;
  const found = forced.length > 0 ? [] : answersToQuestion(model, question, beam, beam);
  const path = greedyPath(model, question, forced.length > 0 ? forced : [...found[0].ids, PADDING]);
  if (found.length === 0) found.push({ ...path.answer, text: target.decode(path.answer.ids, question.copied) });
  const symbols = source.spell(text), reading = symbols.map((_, place) => place);
  if (readsBackwards(about.model)) reading.reverse();
  const read = path.steps.map((step) => target.name(step.read));
  return {
    text,
    source: symbols,
    reading,
    unknown: source.encode(text, true).flatMap((id, place) => (id === UNKNOWN ? [place] : [])),
    answer: answerObject(found[0]),
    n_best: found.map(answerObject),
    forced,
    steps: path.steps.map((step, t) => stepObject(model, step, t < forced.length, reading)),
    encoder: encoderInsides(model, question.ids, reading.map((place) => symbols[place])),
    decoder: decoderInsides(model, question.ids, path.steps, read),
    tree: beamTree(model, question, beam).map((node) => ({ ...node, symbol: target.name(node.id) })),
  };
}

function answerObject({ text, score, cut }) {
  return { text, log_probability: score, probability: Math.exp(score), flags: cut ? ["limit"] : [] };
}

function stepObject({ target }, { read, taken, logs, weights }, isForced, reading) {
  const symbol = (id, log) => ({ id, symbol: target.name(id), probability: Math.exp(log) });
  const attention = weights && reading.map(() => 0);
  if (weights) reading.forEach((place, n) => (attention[place] = weights[n]));
  return {
    input: { id: read, symbol: target.name(read) },
    output: symbol(taken, logs[taken]),
    forced: isForced,
    top: likeliest(logs, 1, [], TOP).map(({ id, log }) => symbol(id, log)),
    attention,
  };
}

function encoderInsides({ net, about }, ids, order) {
  if (net.members) return null;
  const { hs, gates } = net.encoder.forward(ids);
  const byLayer = gates.flatMap((directions, n) => directions.map((some, d) => ({
    layer: directions.length > 1 ? `${n + 1} ${"→←"[d]}` : `${n + 1}`,
    gates: some,
  })));
  return insides(about.model.cell, order, new Float64Array(hs[0].length), hs, byLayer);
}

function decoderInsides({ net, about }, ids, steps, order) {
  if (net.members) return null;
  const layersOf = steps.map(({ state }) => state.layers), first = net.encode(ids).layers;
  const byLayer = first.map((_, n) => ({ layer: `${n + 1}`, gates: layersOf.map((layers) => layers[n].gates) }));
  const hs = layersOf.map((layers) => layers[layers.length - 1].h);
  return insides(about.model.cell, order, first[first.length - 1].h, hs, byLayer);
}

/** How a stack's top state moves from `first` through hs, and the mean of every gate at every position. */
function insides(cell, order, first, hs, byLayer) {
  const H = first.length, shown = Math.min(H, MOST_UNITS);
  const units = Array.from({ length: shown }, (_, n) => (shown > 1 ? Math.floor((n * (H - 1)) / (shown - 1)) : 0));
  return {
    order,
    change: hs.map((h, t) => Math.hypot(...h.map((number, n) => number - (t > 0 ? hs[t - 1] : first)[n]))),
    states: hs.map((h) => units.map((n) => h[n])),
    units: H,
    gates: byLayer.map(({ layer, gates }) => {
      const means = (block) => gates.map((some) => meanOf(some, block, cell));
      const named = Object.entries(GATES[cell]).map(([name, block]) => [name, means(block)]);
      return { layer, ...Object.fromEntries(named) };
    }),
  };
}

function meanOf(gates, block, cell) {
  const H = gates.length / (cell === "lstm" ? 4 : 3);
  return gates.subarray(block * H, (block + 1) * H).reduce((sum, gate) => sum + gate, 0) / H;
}

/** The beam search as a tree, nothing left out: every hypothesis that it kept, as doldari/inference/beam_tree.py. */
function beamTree(model, question, width) {
  const longest = width > 1 ? question.usual : question.longest, nodes = [], ended = [];
  let leaves = [{ index: -1, ids: [], score: 0 }], slots = width;
  for (let t = 0; leaves.length > 0 && slots > 0; t++) {
    const ways = leaves.flatMap((leaf) => waysOn(model, question, leaf, longest - t, slots));
    const kept = ways.sort((a, b) => b.score - a.score).slice(0, slots);
    leaves = [];
    for (const way of kept) {
      const { parent, id, score } = way, index = nodes.length, probability = Math.exp(score - parent.score);
      nodes.push({ parent: parent.index, id, probability, log_probability: score, rank: null });
      if (id === PADDING) ended.push({ index, normalized: score / (t + 1) });
      else leaves.push({ ...afterWay(way), index });
    }
    slots -= kept.length - leaves.length;
  }
  ended.sort((a, b) => b.normalized - a.normalized).forEach(({ index }, n) => (nodes[index].rank = n + 1));
  return nodes;
}
