"use strict";

// From a text to its answers, greedily or by beam search, as doldari/inference in the Python package: for one text.

const ROOM = 2; // an answer may have so many times the symbols that it would have in training

/** Say how many symbols, judging by training, the answer to a source of so many symbols has at most. */
function usualLength(about, length) {
  const over = length - about.longest_source;
  if (over > 0) {
    return about.longest_target + Math.ceil((about.longest_target * over) / Math.max(1, about.longest_source));
  }
  return about.longer === null ? about.longest_target : Math.min(about.longest_target, length + about.longer);
}

/** Tell whether a decoder copies symbols as they are, also those never seen in training. */
function copiesUnknown({ about, source, target }) {
  const isAlike = source.kind === target.kind && source.normalization === target.normalization;
  return about.model.decoder === "transducer" && isAlike && target.kind !== "subwords";
}

/** Tell whether a model reads its source from the last symbol on; one that copies reads as it writes. */
function readsBackwards({ reverse, right_to_left, decoder }) {
  return reverse !== (right_to_left && decoder === "transducer");
}

/** What is asked of a model: the text's ids as it reads them, and how long an answer may be. */
function questionOf(model, text, unknown) {
  const { about, source } = model, ids = source.encode(text, unknown !== "error");
  const usual = usualLength(about, ids.length), count = source.split(text).features.length;
  if (about.model.decoder === "transducer") {
    for (let place = 0; place < count; place++) if (ids[place] === UNKNOWN) ids[place] = PADDING;
  }
  const symbols = source.unknownSymbols(text), again = copiesUnknown(model);
  const copies = unknown === "copy" || (unknown === "unknown" && again);
  return {
    ids: readsBackwards(about.model) ? ids.reverse() : ids,
    usual,
    longest: ROOM * usual,
    never: copies ? [START] : [START, UNKNOWN],
    copied: !copies ? [] : again ? Array(ROOM * usual + 1).fill(symbols).flat() : symbols,
    steps: new Map(),
  };
}

/**
 * Let the decoder read the start and then ids: the log-probabilities of what follows, the state, and where it looked.
 * A question remembers its steps, for a search comes to many of them more than once.
 */
function stepAfter(model, question, ids) {
  const key = ids.join();
  if (!question.steps.has(key)) {
    const isFirst = ids.length === 0, { temperature } = model.about;
    const before = isFirst ? model.net.encode(question.ids) : stepAfter(model, question, ids.slice(0, -1)).state;
    const { scores, state, weights } = model.net.step(isFirst ? START : ids[ids.length - 1], before);
    const logs = logSoftmax(temperature === 1 ? scores : scores.map((score) => score / temperature));
    question.steps.set(key, { logs, state, weights });
  }
  return question.steps.get(key);
}

/** List the `width` likeliest ids that may follow when `left` more symbols may come: { id, log }, the best first. */
function likeliest(logs, left, never, width) {
  if (left <= 0) return [{ id: PADDING, log: logs[PADDING] }];
  const best = [];
  logs.forEach((log, id) => {
    if (never.includes(id)) return;
    if (best.length === width && log <= best[width - 1].log) return;
    let place = best.length;
    while (place > 0 && log > best[place - 1].log) place -= 1;
    best.splice(place, 0, { id, log });
    if (best.length > width) best.pop();
  });
  return best;
}

/** Tell whether an answer that may have no more symbols would have gone on. */
function isCut(logs, left, never) {
  return left <= 0 && likeliest(logs, 1, never, 1)[0].id !== PADDING;
}

/**
 * Write the likeliest id at every step, after those of `forced`: the answer, and its steps, each with the id that it
 * read, the log-probabilities of what follows, the id that it took, the model's state, and where it looked.
 */
function greedyPath(model, question, forced = []) {
  const steps = [], ids = [];
  let score = 0, cut = false, taken = START;
  do {
    const step = stepAfter(model, question, ids), t = steps.length, left = question.longest - t, read = taken;
    taken = forced[t] ?? likeliest(step.logs, left, question.never, 1)[0].id;
    cut = isCut(step.logs, left, question.never);
    score += step.logs[taken];
    steps.push({ ...step, read, taken });
    if (taken !== PADDING) ids.push(taken);
  } while (taken !== PADDING);
  return { steps, answer: { ids, score, cut } };
}

/** The nBest answers found so far; to be among them, another must be above the threshold. */
class Found {
  constructor(nBest) {
    this.nBest = nBest;
    this.answers = [];
  }

  get threshold() {
    return this.answers.length < this.nBest ? -Infinity : this.answers[this.nBest - 1].normalized;
  }

  add(answer, normalized) {
    const after = this.answers.findIndex((other) => other.normalized < normalized);
    this.answers.splice(after < 0 ? this.answers.length : after, 0, { ...answer, normalized });
    this.answers.length = Math.min(this.answers.length, this.nBest);
  }
}

/** Find up to nBest answers, the best log-probability a symbol first, as beam_search in doldari/inference/beam.py. */
function beamSearch(model, question, width, nBest) {
  const { steps, answer } = greedyPath(model, question), length = answer.ids.length;
  const longest = length <= question.usual ? question.usual : question.longest, found = new Found(nBest);
  found.add(answer, answer.score / (length + 1));
  let beside = [], greedy = width > 1 ? { ids: [], score: 0 } : null, slots = width;
  for (let t = 0; beside.length > 0 || greedy; t++) {
    const parents = greedy ? [...beside, greedy] : beside;
    const ways = parents.flatMap((parent) => waysOn(model, question, parent, longest - t, width));
    for (const way of ways) way.bound = way.score / ((way.id === PADDING ? t : longest) + 1);
    const isGreedy = ({ parent, id }) => parent === greedy && id === steps[t].taken;
    const worth = ways.filter(({ bound, id }) => bound > found.threshold && (id === PADDING || t < longest));
    const chosen = worth.sort((a, b) => b.score - a.score).slice(0, slots);
    const ended = chosen.filter(({ id }) => id === PADDING);
    for (const way of ended) if (!isGreedy(way)) found.add({ ...way, ids: way.parent.ids }, way.bound);
    slots -= ended.length;
    const going = chosen.filter(({ id, bound }) => id !== PADDING && bound > found.threshold);
    beside = going.filter((way) => !isGreedy(way)).map(afterWay);
    greedy = going.filter(isGreedy).map(afterWay)[0] ?? null;
  }
  return found.answers;
}

/** How an unfinished answer, parent { ids, score }, can go on: the `width` likeliest ways. */
function waysOn(model, question, parent, left, width) {
  const { logs } = stepAfter(model, question, parent.ids), cut = isCut(logs, left, question.never);
  const ways = likeliest(logs, left, question.never, width);
  return ways.map(({ id, log }) => ({ parent, id, score: parent.score + log, cut }));
}

/** The unfinished answer that a way leads to. */
function afterWay({ parent, id, score }) {
  return { ids: [...parent.ids, id], score };
}

/**
 * Answer a text: a list of { text, ids, score, cut }, the best first; score is the log-probability, the end included.
 * unknown is what to do with symbols never seen in training: "error" throws Unreadable, "unknown" lets them through,
 * "copy" also copies them into the answer.
 */
function answersTo(model, text, { unknown = "error", beam = 1, nBest = 1 } = {}) {
  if (model.source.isBlank(text)) return [{ text: "", ids: [], score: 0, cut: false }];
  return answersToQuestion(model, questionOf(model, text, unknown), Math.max(beam, nBest), nBest);
}

function answersToQuestion(model, question, width, nBest) {
  const searched = nBest > 1 && model.target.kind === "subwords" ? width : nBest;
  const found = beamSearch(model, question, width, searched).map((answer) => {
    return { ...answer, text: model.target.decode(answer.ids, question.copied) };
  });
  return found.filter((one, n) => found.findIndex((other) => other.text === one.text) === n).slice(0, nBest);
}

/** Make what can be asked, of a model's description and the base64 of its weights. */
function openModel(about, base64) {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0)).buffer;
  return {
    about,
    source: new Vocabulary("source", about),
    target: new Vocabulary("target", about),
    net: buildModel(about, readWeights(about.weights, bytes)),
  };
}
