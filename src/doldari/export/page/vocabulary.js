"use strict";

// Texts to ids and back, as doldari/data/vocabulary.py and symbols.py: normalised, cut into symbols, numbered.

const PADDING = 0; // also the end of an answer
const START = 1;
const UNKNOWN = 2;
const SPECIALS = 3;
const UNKNOWN_TEXT = "\ufffd";

// What Python takes for white space, which differs from what JavaScript does in a few control characters.
const BLANK = "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const BLANKS = new RegExp(`[${BLANK}]+`, "u");
const LETTER = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\u200c\\u200d";
const STARTS_IN_WORD = new RegExp(`^[${LETTER}]`, "u");
const ENDS_IN_WORD = new RegExp(`[${LETTER}]$`, "u");
const WORD_OR_MARK = new RegExp(`[${LETTER}]+(?:['’][${LETTER}]+)*| ?[^${LETTER} ] ?`, "gu");

/** A text that the model cannot read; `reason` says why: blank, features, symbol, feature, or nothing known. */
class Unreadable extends Error {
  constructor(reason, symbol = "") {
    super(`${reason} ${symbol}`);
    this.reason = reason;
    this.symbol = symbol;
  }
}

function normalize(text, form) {
  return form === "none" ? text : text.normalize(form);
}

function split(text) {
  return text.split(BLANKS).filter((word) => word !== "");
}

/** Cut a text into symbols of any kind but subwords. */
function cut(text, kind) {
  if (kind === "characters") return [...text];
  if (kind === "graphemes") return Array.from(new Intl.Segmenter().segment(text), (part) => part.segment);
  return kind === "whitespace" ? split(text) : split(text).join(" ").match(WORD_OR_MARK) ?? [];
}

/** Join symbols into a text. */
function join(symbols, kind) {
  if (kind === "whitespace") return symbols.join(" ");
  if (kind === "subwords") return symbols.join("").replaceAll("▁", " ").replace(/^ +| +$/g, "");
  if (kind !== "words") return symbols.join("");
  let text = "", before = "";
  for (const symbol of symbols) {
    if (ENDS_IN_WORD.test(before) && STARTS_IN_WORD.test(symbol)) text += " ";
    text += symbol;
    before = symbol;
  }
  return text.replace(/^ +| +$/g, "");
}

/** One side's symbols.  kind and normalization are those of its side; written is the form of answers. */
class Vocabulary {
  constructor(side, description) {
    this.kind = description.model[`${side}_symbols`];
    this.normalization = description.model[`${side}_normalization`];
    this.symbols = description[side];
    this.features = side === "source" ? description.source_features : [];
    this.written = side === "target" ? description.target_written : "none";
    this.rightToLeft = side === "target" && description.model.right_to_left; // its ids begin with the last symbol
    this.ids = new Map(this.symbols.map((symbol, n) => [symbol, SPECIALS + n]));
    this.featureIds = new Map(this.features.map((name, n) => [name, SPECIALS + this.symbols.length + n]));
  }

  /** Normalise and cut; where symbols are unknown, and those of the text in NFC or NFD are not, take these. */
  cut(text) {
    const cutIn = (form) => cut(normalize(text, form), this.kind);
    const known = (symbols) => symbols.every((symbol) => this.ids.has(symbol));
    const symbols = cutIn(this.normalization);
    if (this.normalization !== "none" || known(symbols)) return symbols;
    return ["NFC", "NFD"].map(cutIn).find(known) ?? symbols;
  }

  /** Split `text TAB one;two+three`, if the model has features, into the text and these; `+` may be inside older ones. */
  split(text) {
    const tab = text.indexOf("\t");
    if (this.features.length === 0 || tab < 0) return { text, features: [] };
    const separators = this.features.some((name) => name.includes("+")) ? ";" : /[;+]/;
    const features = text.slice(tab + 1).split(separators).map(trim);
    return { text: text.slice(0, tab), features: features.filter((name) => name !== "") };
  }

  /** List the symbols that a text's ids stand for, features first. */
  spell(text) {
    const { text: bare, features } = this.split(text);
    return [...features, ...this.cut(bare)];
  }

  isBlank(text) {
    return split(this.split(text).text).length === 0;
  }

  /** Turn a text into ids, its features' first; what is unknown is refused, or with letThrough becomes UNKNOWN. */
  encode(text, letThrough = false) {
    const { text: bare, features } = this.split(text);
    if (this.features.length > 0 && features.length === 0) throw new Unreadable("features");
    const symbols = this.cut(bare);
    const ids = [
      ...features.map((name) => this.featureIds.get(name) ?? UNKNOWN),
      ...symbols.map((symbol) => this.ids.get(symbol) ?? UNKNOWN),
    ];
    const at = ids.indexOf(UNKNOWN);
    if (at >= 0 && !letThrough) {
      throw at < features.length
        ? new Unreadable("feature", features[at])
        : new Unreadable("symbol", symbols[at - features.length]);
    }
    if (at >= 0 && ids.every((id) => id === UNKNOWN)) throw new Unreadable("nothing");
    return ids;
  }

  /** List the symbols of a text, its features aside, that are not there. */
  unknownSymbols(text) {
    return this.cut(this.split(text).text).filter((symbol) => !this.ids.has(symbol));
  }

  /** An id's symbol; the special ones as a reader can see them. */
  name(id) {
    return id < SPECIALS ? ["⏎", "▷", UNKNOWN_TEXT][id] : this.symbols[id - SPECIALS];
  }

  /** Turn an answer's ids into text; the first of `copied` stands for the first unknown, and so on. */
  decode(ids, copied = []) {
    let copies = 0;
    const inOrder = this.rightToLeft ? [...ids].reverse() : ids;
    const symbols = inOrder.map((id) => (id === UNKNOWN ? copied[copies++] ?? UNKNOWN_TEXT : this.name(id)));
    return normalize(join(symbols, this.kind), this.written);
  }
}

/** Take the blanks off both ends. */
function trim(text) {
  return text.replace(new RegExp(`^[${BLANK}]+|[${BLANK}]+$`, "gu"), "");
}
