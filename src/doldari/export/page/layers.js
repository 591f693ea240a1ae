"use strict";

// The layers of a model, one text at a time.  Each is that of the same name in doldari's Python package:
// doldari/layers and doldari/models say where the formulas come from.  A vector is a Float64Array; a weight has a
// shape and values, row after row.

/** Add to y (M,) the product of x (K,) and the rows of W (any, M) from `first` on; four at a time, twice as fast. */
function addProduct(y, x, W, first = 0) {
  const M = y.length, K = x.length, w = W.values;
  let k = 0, row = first * M;
  for (; k + 4 <= K; k += 4, row += 4 * M) {
    const a = x[k], b = x[k + 1], c = x[k + 2], d = x[k + 3];
    for (let m = 0, n = row; m < M; m++, n++) y[m] += a * w[n] + b * w[n + M] + c * w[n + 2 * M] + d * w[n + 3 * M];
  }
  for (; k < K; k++, row += M) {
    const a = x[k];
    for (let m = 0; m < M; m++) y[m] += a * w[row + m];
  }
  return y;
}

/** Multiply x (K,) by each row of a weight W (M, K): x W^T, (M,). */
function productWithRows(x, W) {
  const [M, K] = W.shape, product = new Float64Array(M);
  for (let m = 0; m < M; m++) product[m] = dot(x, W.values.subarray(m * K, (m + 1) * K));
  return product;
}

function dot(a, b) {
  let sum = 0;
  for (let n = 0; n < a.length; n++) sum += a[n] * b[n];
  return sum;
}

function concatenated(a, b) {
  const both = new Float64Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

function sigmoid(x) {
  return 0.5 * (1 + Math.tanh(0.5 * x));
}

/** log(softmax(scores)), which does not overflow. */
function logSoftmax(scores) {
  const highest = scores.reduce((a, b) => Math.max(a, b), -Infinity);
  const sum = scores.reduce((total, score) => total + Math.exp(score - highest), 0);
  const log = highest + Math.log(sum);
  return scores.map((score) => score - log);
}

/** Ids to vectors: row `id` of W (V, D). */
class TimeEmbedding {
  constructor(W) {
    this.W = W;
  }

  look(id) {
    const D = this.W.shape[1];
    return Float64Array.from(this.W.values.subarray(id * D, (id + 1) * D));
  }
}

/** What the LSTM and the GRU share: weights Wx (C + D, G), Wh (H, G), b (G,), and the input's product. */
class GatedLayer {
  constructor(weights, prefix) {
    this.Wx = weights[`${prefix}.Wx`];
    this.Wh = weights[`${prefix}.Wh`];
    this.b = weights[`${prefix}.b`];
    this.H = this.Wh.shape[0];
  }

  /** [constant, x] Wx + b, where a peeky decoder's constant may be null. */
  inputProduct(x, constant) {
    const product = Float64Array.from(this.b.values);
    if (constant !== null) addProduct(product, constant, this.Wx);
    return addProduct(product, x, this.Wx, this.Wx.shape[0] - x.length);
  }

  /**
   * Run over vectors xs from an empty state: the hidden states, the last one, and each direction's gates.  What is not
   * to be read, as `read` says, leaves the state as it is.
   */
  run(xs, read) {
    let state = this.state(new Float64Array(this.H));
    const states = xs.map((x, t) => {
      const next = this.step(x, state, null);
      return (state = read[t] ? next : { ...state, gates: next.gates });
    });
    return { hs: states.map(({ h }) => h), last: state.h, gates: [states.map(({ gates }) => gates)] };
  }
}

class TimeLSTM extends GatedLayer {
  state(h) {
    return { h, c: new Float64Array(this.H) };
  }

  /** [f, g, i, o] = x Wx + h Wh + b;  c = f c + g i;  h = o tanh(c). */
  step(x, before, constant) {
    const H = this.H, gates = addProduct(this.inputProduct(x, constant), before.h, this.Wh);
    const h = new Float64Array(H), c = new Float64Array(H);
    for (let n = 0; n < H; n++) {
      gates[n] = sigmoid(gates[n]);
      gates[H + n] = Math.tanh(gates[H + n]);
      gates[2 * H + n] = sigmoid(gates[2 * H + n]);
      gates[3 * H + n] = sigmoid(gates[3 * H + n]);
      c[n] = gates[n] * before.c[n] + gates[H + n] * gates[2 * H + n];
      h[n] = gates[3 * H + n] * Math.tanh(c[n]);
    }
    return { h, c, gates };
  }
}

class TimeGRU extends GatedLayer {
  state(h) {
    return { h };
  }

  /** r, z = sigmoid(x + u);  n = tanh(x_n + r u_n);  h = (1 - z) n + z h, with x = x Wx + b and u = h Wh. */
  step(x, before, constant) {
    const H = this.H, gates = this.inputProduct(x, constant);
    const u = addProduct(new Float64Array(3 * H), before.h, this.Wh), h = new Float64Array(H);
    for (let n = 0; n < H; n++) {
      const r = sigmoid(gates[n] + u[n]), z = sigmoid(gates[H + n] + u[H + n]);
      const fresh = Math.tanh(gates[2 * H + n] + r * u[2 * H + n]);
      gates[n] = r;
      gates[H + n] = z;
      gates[2 * H + n] = fresh;
      h[n] = (1 - z) * fresh + z * before.h[n];
    }
    return { h, gates };
  }
}

const CELLS = { lstm: TimeLSTM, gru: TimeGRU };

/** Two layers that read in opposite directions; their hidden states stand side by side. */
class TimeBidirectional {
  constructor(Cell, weights, prefix) {
    this.ahead = new Cell(weights, `${prefix}.ahead`);
    this.back = new Cell(weights, `${prefix}.back`);
  }

  run(xs, read) {
    const ahead = this.ahead.run(xs, read), back = this.back.run([...xs].reverse(), [...read].reverse());
    const hs = ahead.hs.map((h, t) => concatenated(h, back.hs[xs.length - 1 - t]));
    return { hs, last: concatenated(ahead.last, back.last), gates: [ahead.gates[0], back.gates[0].reverse()] };
  }
}

/** The layers of an encoder or a decoder, the lowest first. */
function stackOf(make, count, prefix) {
  return Array.from({ length: count }, (_, n) => make(n === 0 ? prefix : `${prefix}.${n + 1}`));
}

/** Scores or features: [constant, x] W + b. */
class TimeAffine {
  constructor(W, b) {
    this.W = W;
    this.b = b;
  }

  forward(x, constant) {
    const product = Float64Array.from(this.b.values);
    if (constant !== null) addProduct(product, constant, this.W);
    return addProduct(product, x, this.W, this.W.shape[0] - x.length);
  }
}

/** Scores by the rows of the embedding: x W^T + b. */
class TimeTiedAffine extends TimeAffine {
  forward(x) {
    const b = this.b.values;
    return productWithRows(x, this.W).map((score, id) => score + b[id]);
  }
}

/** Global attention of Luong et al. 2015: by the general score, with W, or by the dot score, without. */
class TimeAttention {
  constructor(W) {
    this.W = W;
  }

  remember(values) {
    return { values, keys: this.W === null ? values : values.map((value) => productWithRows(value, this.W)) };
  }

  forward(query, memory) {
    const weights = logSoftmax(Float64Array.from(memory.keys, (key) => dot(query, key))).map(Math.exp);
    const context = new Float64Array(query.length);
    memory.values.forEach((value, s) => value.forEach((number, n) => (context[n] += weights[s] * number)));
    return { context, weights };
  }
}

/** Lets a step meet every place of its source: z = tanh(value W + query W + b), the values' rows of W first. */
class TimeJoint {
  constructor(W, b, end) {
    this.W = W;
    this.b = b;
    this.end = end;
  }

  /** Take the values of places, the last of which, the end, has that of the one before it. */
  remember(values) {
    const J = this.W.shape[1], last = values.length - 1;
    const keys = values.map((value) => addProduct(new Float64Array(J), value, this.W));
    keys[last] = keys[last].map((number, n) => number + this.end.values[n]);
    return { values, keys };
  }

  forward(query, { keys }) {
    const own = addProduct(Float64Array.from(this.b.values), query, this.W, this.W.shape[0] - query.length);
    return keys.map((key) => key.map((number, n) => Math.tanh(number + own[n])));
  }
}

/**
 * Sums up all ways to write each next symbol: at every place a symbol is inserted, that of the place is copied, or it is
 * deleted; doldari/kernels/reference/transducer.py has the equations.  scores has V + 2 at each place, of inserting
 * each symbol, copying, and deleting; copies says what copying writes, -1 for nothing; places, where it may stand.
 */
function transduce(scores, copies, places) {
  const last = scores.length - 1, V = scores[0].length - 2, COPY = V, DELETE = V + 1;
  const possible = (action, s) =>
    action === COPY ? s < last && copies[s] >= 0
    : action === DELETE ? last > 0
    : action !== PADDING || s === last; // which ends the answer
  const actions = scores.map((own, s) =>
    logSoftmax(own.map((score, action) => (possible(action, s) ? score : -Infinity))).map(Math.exp));
  let atEnd = 0, round = 1; // the probability of getting there without going back, and of going around once
  actions.forEach((own, s) => {
    atEnd = s < last ? (atEnd + places[s]) * own[DELETE] : atEnd + places[s];
    round *= own[DELETE];
  });
  const reached = Float64Array.from(places);
  reached[0] += (atEnd * actions[last][DELETE]) / Math.max(1 - round, 1e-6);
  for (let s = 1; s <= last; s++) reached[s] += reached[s - 1] * actions[s - 1][DELETE];
  const arrivals = actions.map((own, s) => own.subarray(0, V).map((insert) => reached[s] * insert));
  for (let s = 0; s < last; s++) {
    if (copies[s] >= 0) arrivals[s + 1][copies[s]] += reached[s] * actions[s][COPY];
  }
  const logs = arrivals[0].map((_, v) => Math.log(Math.max(arrivals.reduce((sum, at) => sum + at[v], 0), 1e-30)));
  return { logs, arrivals, written: reached.map((here, s) => here * (1 - actions[s][DELETE])) };
}
