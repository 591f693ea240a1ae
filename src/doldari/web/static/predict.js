// The view that predicts as one types, by one model or by two side by side.
import { el, percent, section } from "./dom.js";
import { explain, model as modelPage } from "./api.js";
import { attentionPanel, nBestPanel, outputSymbols, statesPanel, stepPanel, unrolledPanel } from "./figures.js";
import { gatesPanel, treePanel } from "./charts.js";
import { change, forcedIds, state } from "./state.js";
import { t } from "./strings.js";

const PAUSE = 15, FAST = 60; // ms: keys that follow one another within FAST are asked about when typing rests for PAUSE
const pages = new Map(); // model name -> promise of its description

export const pageOf = (name) => {
  if (!pages.has(name)) pages.set(name, modelPage(name).catch((problem) => { pages.delete(name); throw problem; }));
  return pages.get(name);
};

export function predictView(names, say, again) {
  const [text, given = ""] = state.text.split("\t");
  const features = el("input", { id: "features", class: "features symbol", spellcheck: "false", autocomplete: "off", maxlength: "500", value: given, input: () => typed() });
  const featuresLine = el("div", { class: "choice", hidden: !given }, el("label", { for: "features" }, t("features")), features);
  const input = el("textarea", { id: "source", class: "source symbol", rows: "1", spellcheck: "false", autocapitalize: "off", autocomplete: "off", placeholder: t("type"), maxlength: "2000" });
  input.value = text;
  const columns = [new Column(state.model, say)];
  if (state.vs) columns.push(new Column(state.vs, say));
  let timer, last = 0;
  const ask = (composing = false) => {
    const pause = performance.now() - last < FAST ? PAUSE : 0;
    last = performance.now();
    clearTimeout(timer);
    const send = () => columns.forEach((column) => column.ask(composing));
    if (pause) timer = setTimeout(send, pause);
    else send();
  };
  const typed = (event) => {
    const all = featuresLine.hidden ? input.value : `${input.value}\t${features.value}`;
    change({ text: all, forced: "", step: "0" });
    fit(input);
    ask(event?.isComposing);
  };
  input.addEventListener("input", typed);
  input.addEventListener("keydown", (event) => { if (event.key === "Enter") event.preventDefault(); });
  input.addEventListener("compositionend", () => ask());
  const examples = el("div", { class: "examples" });
  const chip = (example) => el("button", { type: "button", class: "chip symbol", click: () => {
    [input.value, features.value = ""] = example.split("\t");
    typed();
    input.focus();
  } }, example.replace("\t", " · "));
  pageOf(state.model).then((page) => {
    featuresLine.hidden = page.features.length === 0;
    features.placeholder = page.features.slice(0, 6).join(";");
    examples.replaceChildren(...page.examples.map(chip));
  }).catch(() => {});
  const others = names.filter((name) => name !== state.model);
  const view = el("div", { class: "view" },
    el("div", { class: "options" },
      choice("model", t("model"), names.map((name) => [name, name]), state.model, (value) => { change({ model: value, vs: state.vs === value ? "" : state.vs, forced: "", step: "0" }, true); again(); }),
      others.length > 0 && choice("vs", t("compare"), [["", t("none")], ...others.map((name) => [name, name])], state.vs, (value) => { change({ vs: value, forced: "", step: "0" }, true); again(); }),
      choice("beam", t("beam"), [["1", t("greedy")], ...[2, 3, 5, 10, 20].map((width) => [String(width), String(width)])], state.beam, (value) => { change({ beam: value, forced: "", step: "0" }); ask(); })),
    el("label", { class: "hidden", for: "source" }, t("source")), input, featuresLine,
    el("div", { class: "examples-line", role: "group", "aria-label": t("examples") }, examples),
    el("div", { class: `columns-of-models${columns.length > 1 ? " two" : ""}` }, columns.map((column) => column.node)));
  requestAnimationFrame(() => fit(input));
  if (matchMedia("(pointer: fine)").matches) requestAnimationFrame(() => input.focus({ preventScroll: true }));
  columns.forEach((column) => column.ask());
  return view;
}

function fit(input) {
  input.style.height = "auto";
  input.style.height = `${Math.min(input.scrollHeight + 2, 240)}px`;
}

export function choice(id, label, options, value, changed) {
  const select = el("select", { id, change: () => changed(select.value) },
    options.map(([one, text]) => el("option", { value: one, selected: one === value }, text)));
  return el("div", { class: "choice" }, el("label", { for: id }, label), select);
}

function wide(panel) {
  panel?.classList.add("whole");
  return panel;
}

// Scroll a step of the figure into sight, and nothing else.
function reveal(step) {
  const frame = step?.closest(".scroller"), far = step && step.getBoundingClientRect().right - frame.getBoundingClientRect().right;
  if (step && far > 0) frame.scrollLeft += far + 60;
  else if (step && step.getBoundingClientRect().left < frame.getBoundingClientRect().left) frame.scrollLeft -= 120;
}

// One model's answer.  Of requests under way only the last is waited for.
class Column {
  constructor(name, say) {
    this.name = name;
    this.say = say;
    this.head = el("div", { class: "answer" });
    this.panels = el("div", { class: "panels" });
    this.body = el("div", { class: "result" }, this.head, this.panels);
    this.node = el("section", { class: "column", "aria-label": name }, state.vs && el("h2", { class: "model-name" }, name), this.body);
    this.show(null);
  }

  async ask(composing = false) {
    this.abort?.abort();
    const text = state.text;
    if (!text.trim()) {
      this.show(null);
      return;
    }
    const abort = (this.abort = new AbortController());
    try {
      const request = { text, model: this.name, beam: Number(state.beam), forced: this.isFirst() ? forcedIds() : [], tolerant: true };
      this.show(await explain(request, abort.signal));
      this.body.dataset.answered = text;
    } catch (problem) {
      if (problem.name !== "AbortError" && !abort.signal.aborted && !composing) this.fail(problem);
    }
  }

  isFirst() {
    return this.name === state.model;
  }

  fail(problem) {
    const message = problem.message === "offline" ? t("offline") : problem.message;
    clearTimeout(this.later);
    this.head.replaceChildren(el("p", { class: "problem" }, message));
    this.panels.replaceChildren();
    this.say(message);
  }

  // key: what has the focus afterwards, if it is not what had it before.
  show(explanation, key = this.body.contains(document.activeElement) ? document.activeElement.dataset.key : null) {
    if (explanation === null) {
      clearTimeout(this.later);
      delete this.body.dataset.answered;
      this.head.replaceChildren(el("p", { class: "note waiting" }, t("empty")));
      this.panels.replaceChildren();
      return;
    }
    const { answer, steps, forced } = explanation;
    const chosen = Math.min(this.isFirst() ? Number(state.step) || 0 : this.step ?? 0, steps.length - 1);
    const choose = (at, key) => {
      if (this.isFirst()) change({ step: String(at) });
      this.step = at;
      this.show(explanation, key);
    };
    const force = this.isFirst() && ((id) => {
      change({ forced: [...steps.slice(0, chosen).map((step) => step.output.id), id].join("."), step: String(chosen) }, true);
      this.ask();
    });
    this.head.replaceChildren(...[
        el("p", { class: "answer-text symbol", "data-answer": answer.text }, answer.text || "—", el("span", { class: "answer-probability" }, percent(answer.probability))),
        outputSymbols(explanation, chosen, choose),
        this.notes(explanation),
        forced.length > 0 && el("button", { type: "button", class: "chip", click: () => { change({ forced: "" }, true); this.ask(); } }, `↺ ${t("unforce")}`)].filter(Boolean));
    this.say(`${this.name}: ${answer.text}, ${percent(answer.probability)}`);
    // The answer first; the pictures when it stands, unless another has come by then.
    clearTimeout(this.later);
    const draw = () => {
      const scrolled = new Map([...this.panels.querySelectorAll(".scroller")].map((one) => [one.ariaLabel, one.scrollLeft]));
      this.panels.replaceChildren(...[
        wide(unrolledPanel(explanation, chosen, choose)),
        stepPanel(explanation, chosen, choose, force),
        nBestPanel(explanation),
        attentionPanel(explanation, chosen),
        wide(statesPanel(explanation)),
        wide(treePanel(explanation)),
        wide(gatesPanel(explanation)),
        !explanation.encoder && el("p", { class: "note" }, t("noInsides"))].filter(Boolean));
      this.panels.querySelectorAll(".scroller").forEach((one) => { one.scrollLeft = scrolled.get(one.ariaLabel) ?? 0; });
    };
    if (key === null) {
      this.later = setTimeout(draw);
      return;
    }
    draw();
    if (key) this.body.querySelector(`[data-key="${key}"]`)?.focus();
    reveal(this.body.querySelector("[aria-current=step]"));
  }

  notes({ answer, source }) {
    const note = el("p", { class: "note" }, answer.flags.map((flag) => t(flag)).join(" · "));
    pageOf(this.name).then((page) => {
      if (source.length > 1.5 * page.longest_source) note.append(` ${t("longSource", { n: page.longest_source })}`);
    }).catch(() => {});
    return note;
  }
}
