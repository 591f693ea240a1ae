"use strict";

// Encoder and decoder, joined: ids in, scores out, a step at a time.  As doldari/models in the Python package.

class Encoder {
  constructor(weights, prefix, config, featureCount) {
    const Cell = CELLS[config.cell];
    const make = (name) =>
      config.bidirectional ? new TimeBidirectional(Cell, weights, name) : new Cell(weights, name);
    this.embed = new TimeEmbedding(weights[`${prefix}.embed.W`]);
    this.layers = stackOf(make, config.layers, `${prefix}.${config.cell}`);
    this.features = this.embed.W.shape[0] - featureCount; // the first id of those that are not read, but summed up
  }

  /** Read ids: every layer's last hidden state, the top's at every position, and every layer's gates. */
  forward(ids) {
    const read = ids.map((id) => id !== PADDING && id < this.features);
    let hs = ids.map((id) => this.embed.look(id));
    const lasts = [], gates = [];
    for (const layer of this.layers) {
      const run = layer.run(hs, read);
      hs = run.hs;
      lasts.push(run.last);
      gates.push(run.gates);
    }
    return { lasts, hs, gates, read };
  }

  /** Sum up the vectors of the features among ids; null for a model that has none apart. */
  featuresOf(ids) {
    const [V, D] = this.embed.W.shape;
    if (this.features === V) return null;
    const vectors = ids.filter((id) => id >= this.features).map((id) => this.embed.look(id));
    return vectors.reduce((sum, vector) => sum.map((number, n) => number + vector[n]), new Float64Array(D));
  }
}

/** A decoder: plain; peeky, which sees the encoder's last state in every step; or one with attention. */
class Decoder {
  constructor(weights, prefix, config) {
    const Cell = CELLS[config.cell], own = (name) => weights[`${prefix}.${name}`] ?? null;
    this.peeks = config.decoder === "peeky";
    this.embed = new TimeEmbedding(own("embed.W"));
    this.layers = stackOf((name) => new Cell(weights, name), config.layers, `${prefix}.${config.cell}`);
    this.affine = config.tie
      ? new TimeTiedAffine(own("embed.W"), own("affine.b"))
      : new TimeAffine(own("affine.W"), own("affine.b"));
    this.attention = config.decoder === "attention" ? new TimeAttention(own("attention.W")) : null;
    this.combine = this.attention && new TimeAffine(own("combine.W"), own("combine.b"));
  }

  /** Cross the bridge: the state before the first step. */
  start({ lasts, hs }) {
    return {
      layers: this.layers.map((layer, n) => layer.state(lasts[n])),
      peeked: this.peeks ? lasts[lasts.length - 1] : null,
      memory: this.attention && this.attention.remember(hs),
    };
  }

  /** Read one more id: scores of what follows, the next state, and, with attention, its weights. */
  step(id, state) {
    let x = this.embed.look(id), weights = null;
    const layers = this.layers.map((layer, n) => {
      const next = layer.step(x, state.layers[n], n === 0 ? state.peeked : null);
      x = next.h;
      return next;
    });
    if (this.attention) {
      const found = this.attention.forward(x, state.memory);
      x = this.combine.forward(x, found.context).map(Math.tanh);
      weights = found.weights;
    }
    return { scores: this.affine.forward(x, state.peeked), state: { ...state, layers }, weights };
  }
}

/** A decoder that walks along the source and edits it, as doldari/models/transducer_decoder.py. */
class TransducerDecoder {
  constructor(weights, prefix, config, copies) {
    const Cell = CELLS[config.cell], own = (name) => weights[`${prefix}.${name}`];
    this.embed = new TimeEmbedding(own("embed.W"));
    this.layers = stackOf((name) => new Cell(weights, name), config.layers, `${prefix}.${config.cell}`);
    this.joint = new TimeJoint(own("joint.W"), own("joint.b"), own("joint.end"));
    this.affine = new TimeAffine(own("affine.W"), own("affine.b"));
    this.moves = new TimeAffine(own("moves.W"), own("moves.b"));
    this.copies = copies; // the target's id of each of the source's, -1 for none
  }

  /** Cross the bridge: the state before the first step, in which it stands at the first place. */
  start({ lasts, hs, read }, ids, features) {
    const values = hs.filter((_, place) => read[place]);
    return {
      layers: this.layers.map((layer, n) => layer.state(lasts[n])),
      features,
      walk: this.joint.remember([...values, values[values.length - 1] ?? lasts[0].map(() => 0)]),
      copied: ids.filter((_, place) => read[place]).map((id) => this.copies[id]),
      read,
      arrivals: null,
    };
  }

  /** Read one more id: scores of what follows, the next state, and where what follows is inserted or copied. */
  step(id, state) {
    const { walk, copied, features, read } = state;
    const places = walk.values.map((_, s) => (state.arrivals ? state.arrivals[s][id] : Number(s === 0)));
    const sum = Math.max(places.reduce((a, b) => a + b), Number.MIN_VALUE);
    const stands = places.map((place) => place / sum), average = new Float64Array(walk.values[0].length);
    walk.values.forEach((value, s) => value.forEach((number, n) => (average[n] += stands[s] * number)));
    let x = concatenated(this.embed.look(id), average);
    const layers = this.layers.map((layer, n) => {
      const next = layer.step(x, state.layers[n], n === 0 ? features : null);
      x = next.h;
      return next;
    });
    const zs = this.joint.forward(features ? concatenated(x, features) : x, walk);
    const scores = zs.map((z) => concatenated(this.affine.forward(z, null), this.moves.forward(z, null)));
    const { logs, arrivals, written } = transduce(scores, copied, stands);
    let place = 0;
    const weights = read.map((isRead) => (isRead ? written[place++] : 0));
    return { scores: logs, state: { ...state, layers, arrivals }, weights };
  }
}

class Seq2seq {
  constructor(weights, prefix, about) {
    const config = about.model, walks = config.decoder === "transducer";
    const features = walks ? about.source_features.length : 0;
    this.encoder = new Encoder(weights, `${prefix}encoder`, config, features);
    this.decoder = walks
      ? new TransducerDecoder(weights, `${prefix}decoder`, config, copiesOf(about))
      : new Decoder(weights, `${prefix}decoder`, config);
  }

  encode(ids) {
    return this.decoder.start(this.encoder.forward(ids), ids, this.encoder.featuresOf(ids));
  }

  step(id, state) {
    return this.decoder.step(id, state);
  }
}

/** Models whose log-probabilities are averaged, and so is where they look. */
class Ensemble {
  constructor(members) {
    this.members = members;
  }

  encode(ids) {
    return this.members.map((member) => member.encode(ids));
  }

  step(id, states) {
    const steps = this.members.map((member, n) => member.step(id, states[n]));
    return {
      scores: mean(steps.map((step) => logSoftmax(step.scores))),
      state: steps.map((step) => step.state),
      weights: steps[0].weights && mean(steps.map((step) => step.weights)),
    };
  }
}

function mean(vectors) {
  return vectors[0].map((_, n) => vectors.reduce((sum, vector) => sum + vector[n], 0) / vectors.length);
}

/** Say which of the target's ids copying each of the source's writes: that of the same symbol, or -1. */
function copiesOf({ source, target, source_features }) {
  const ids = new Map(target.map((symbol, n) => [symbol, SPECIALS + n]));
  const symbols = source.map((symbol) => ids.get(symbol) ?? -1);
  return [PADDING, START, UNKNOWN, ...symbols, ...source_features.map(() => -1)];
}

/** Make the model of its description and its weights by name. */
function buildModel(about, weights) {
  const { ensemble } = about.model;
  if (ensemble === 1) return new Seq2seq(weights, "", about);
  return new Ensemble(Array.from({ length: ensemble }, (_, n) => new Seq2seq(weights, `${n}.`, about)));
}

/** Take weights out of the bytes that hold them: float32, or int8 with a scale for each column. */
function readWeights(index, bytes) {
  const weights = {};
  for (const { name, shape, start, scales } of index) {
    const size = shape.reduce((a, b) => a * b, 1);
    if (scales === undefined) {
      weights[name] = { shape, values: new Float32Array(bytes, start, size) };
    } else {
      const columns = shape[1], numbers = new Int8Array(bytes, start, size);
      const scale = new Float32Array(bytes, scales, columns);
      weights[name] = { shape, values: Float32Array.from(numbers, (number, n) => number * scale[n % columns]) };
    }
  }
  return weights;
}
