"use strict";

// Encoder and decoder, joined: ids in, scores out, a step at a time.  As doldari/models in the Python package.

class Encoder {
  constructor(weights, prefix, config) {
    const Cell = CELLS[config.cell];
    const make = (name) =>
      config.bidirectional ? new TimeBidirectional(Cell, weights, name) : new Cell(weights, name);
    this.embed = new TimeEmbedding(weights[`${prefix}.embed.W`]);
    this.layers = stackOf(make, config.layers, `${prefix}.${config.cell}`);
  }

  /** Read ids: every layer's last hidden state, the top's at every position, and every layer's gates. */
  forward(ids) {
    let hs = ids.map((id) => this.embed.look(id));
    const lasts = [], gates = [];
    for (const layer of this.layers) {
      const run = layer.run(hs);
      hs = run.hs;
      lasts.push(run.last);
      gates.push(run.gates);
    }
    return { lasts, hs, gates };
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

class Seq2seq {
  constructor(weights, prefix, config) {
    this.encoder = new Encoder(weights, `${prefix}encoder`, config);
    this.decoder = new Decoder(weights, `${prefix}decoder`, config);
  }

  encode(ids) {
    return this.decoder.start(this.encoder.forward(ids));
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

/** Make the model of its description and its weights by name. */
function buildModel(config, weights) {
  if (config.ensemble === 1) return new Seq2seq(weights, "", config);
  return new Ensemble(Array.from({ length: config.ensemble }, (_, n) => new Seq2seq(weights, `${n}.`, config)));
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
