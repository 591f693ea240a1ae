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

/** What is asked of a model: the text's ids as it reads them, and how long an answer may be. */
function questionOf({ about, source }, text, unknown) {
  const ids = source.encode(text, unknown !== "error");
  const usual = usualLength(about, ids.length);
  return {
    ids: about.model.reverse ? [...ids].reverse() : ids,
    usual,
    longest: ROOM * usual,
    never: unknown === "copy" ? [START] : [START, UNKNOWN],
  };
}

/** A step's log-probabilities, its temperature applied. */
function logProbabilities({ about }, scores) {
  return logSoftmax(about.temperature === 1 ? scores : scores.map((score) => score / about.temperature));
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
 * Write the likeliest id at every step, after those of `forced`.  Every step has the id that it read, the
 * log-probabilities of what follows, the `width` likeliest ways on, the id it took, and the model's state after it.
 */
function greedyPath(model, question, width, forced = []) {
  const steps = [], ids = [];
  let state = model.net.encode(question.ids), read = START, score = 0;
  do {
    const t = steps.length, left = question.longest - t, step = model.net.step(read, state);
    const logs = logProbabilities(model, step.scores), ways = likeliest(logs, left, question.never, width);
    const taken = t < forced.length ? forced[t] : ways[0].id;
    state = step.state;
    steps.push({ read, logs, ways, taken, state, weights: step.weights, cut: isCut(logs, left, question.never) });
    score += logs[taken];
    read = taken;
    if (taken !== PADDING) ids.push(taken);
  } while (read !== PADDING);
  return { steps, answer: { ids, score, cut: steps[steps.length - 1].cut } };
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
  const { steps, answer } = greedyPath(model, question, width);
  const found = new Found(nBest), length = answer.ids.length;
  found.add(answer, answer.score / (length + 1));
  const longest = length <= question.usual ? question.usual : question.longest;
  let beside = [], onGreedy = width > 1, slots = width;
  for (let t = 0; beside.length > 0 || onGreedy; t++) {
    const ways = beside.flatMap((one) => waysOn(model, one, longest - t, question.never, width));
    if (onGreedy) {
      const { ways: greedy, cut, state } = steps[t], start = { ids: answer.ids.slice(0, t), score: before(steps, t) };
      ways.push(...greedy.map(({ id, log }, rank) => ({
        parent: start, id, score: start.score + log, cut, state, isGreedy: rank === 0,
      })));
    }
    for (const way of ways) {
      way.bound = way.score / ((way.id === PADDING ? t : longest) + 1);
    }
    const worth = ways.filter(({ bound, id }) => bound > found.threshold && (id === PADDING || t < longest));
    const chosen = worth.sort((a, b) => b.score - a.score).slice(0, slots);
    const ended = chosen.filter(({ id }) => id === PADDING);
    for (const { parent, score, cut, bound, isGreedy } of ended) {
      if (!isGreedy) found.add({ ids: parent.ids, score, cut }, bound);
    }
    slots -= ended.length;
    const going = chosen.filter(({ id, bound }) => id !== PADDING && bound > found.threshold);
    onGreedy = going.some(({ isGreedy }) => isGreedy);
    beside = going
      .filter(({ isGreedy }) => !isGreedy)
      .map(({ parent, id, score, state }) => ({ ids: [...parent.ids, id], score, state }));
  }
  return found.answers;
}

/** The greedy answer's log-probability before step t. */
function before(steps, t) {
  return steps.slice(0, t).reduce((sum, { logs, taken }) => sum + logs[taken], 0);
}

/** How an unfinished answer can go on. */
function waysOn(model, parent, left, never, width) {
  const { scores, state } = model.net.step(parent.ids[parent.ids.length - 1], parent.state);
  const logs = logProbabilities(model, scores), cut = isCut(logs, left, never);
  return likeliest(logs, left, never, width).map(({ id, log }) => ({
    parent, id, score: parent.score + log, cut, state, isGreedy: false,
  }));
}

/**
 * Answer a text: a list of { text, ids, score, cut }, the best first; score is the log-probability, the end included.
 * unknown is what to do with symbols never seen in training: "error" throws Unreadable, "unknown" lets them through,
 * "copy" also copies them into the answer.
 */
function answersTo(model, text, { unknown = "error", beam = 1, nBest = 1 } = {}) {
  if (model.source.isBlank(text)) return [{ text: "", ids: [], score: 0, cut: false }];
  const question = questionOf(model, text, unknown), width = Math.max(beam, nBest);
  const searched = nBest > 1 && model.target.kind === "subwords" ? width : nBest;
  const found = beamSearch(model, question, width, searched).map((answer) => {
    const copied = unknown === "copy" ? model.source.unknownSymbols(text) : [];
    return { ...answer, text: model.target.decode(answer.ids, copied) };
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
    net: buildModel(about.model, readWeights(about.weights, bytes)),
  };
}
