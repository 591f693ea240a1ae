"use strict";

// The page: what is typed is answered at once, and drawn with pictures.js.

const $ = (id) => document.getElementById(id);
const model = openModel(JSON.parse($("about").textContent), $("weights").textContent);
const FEW = 60; // symbols that are listed below the text
const page = { language: navigator.language.startsWith("ko") ? "ko" : "en", forced: [], chosen: 0 };

/** Put what is typed together as the model reads it. */
function typed() {
  const features = $("features").value;
  return $("text").value + (model.about.source_features.length > 0 && features.trim() !== "" ? `\t${features}` : "");
}

function unknownMode() {
  if (!$("let-through").checked) return "error";
  return model.about.copies ? "copy" : "unknown";
}

/** Answer what is typed, and draw the answer, or say why there is none. */
function update() {
  const words = WORDS[page.language], text = typed();
  try {
    if (model.source.isBlank(text)) throw new Unreadable("blank");
    const began = performance.now();
    const explanation = explain(model, text, { unknown: unknownMode(), forced: page.forced });
    const milliseconds = Math.max(1, Math.round(performance.now() - began));
    page.chosen = Math.min(page.chosen, explanation.steps.length - 1);
    draw(explanation, text, milliseconds, words);
    $("message").textContent = note(explanation, words);
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    $("found").hidden = true;
    const why = words.unreadable[error.reason];
    $("message").textContent = why === undefined ? words.nothing : why(error.symbol);
  }
}

/** Say what is odd about an answer. */
function note({ source, answer }, words) {
  const most = model.about.longest_source;
  const notes = [answer.flags.includes("limit") ? words.cut : "", source.length > most ? words.long(most) : ""];
  return notes.join(" ").trim();
}

function draw({ source, answer, steps, encoder }, text, milliseconds, words) {
  const step = steps[page.chosen];
  $("found").hidden = false;
  $("answer").textContent = answer.text;
  $("about-answer").textContent = `${words.probability(percent(answer.probability))} · ${words.took(milliseconds)}`;
  $("what-if").hidden = page.forced.length === 0;
  $("symbols").replaceChildren(...symbolButtons(steps, page.chosen, words, chooseStep));
  $("step-title").textContent = words.step(page.chosen + 1, steps.length);
  $("read").replaceChildren(`${words.read} `, make("b", {}, shown(step.input, words)));
  $("step").replaceChildren(stepTable(step, words, (id) => force(steps, id)));
  $("heat-title").textContent = encoder ? words.moved : words.attention;
  $("heat-hint").textContent = encoder ? words.movedHint : words.attentionHint;
  const looked = steps.map(({ output, attention }) => ({ symbol: output, shares: attention }));
  const map = encoder
    ? heatMap(source, [{ symbol: { symbol: "" }, shares: shares(encoder.change) }], words.moved, words)
    : heatMap(source, looked, words.attention, words, page.chosen);
  $("heat").replaceChildren(map);
  const answers = answersTo(model, text, { unknown: unknownMode(), beam: 5, nBest: 3 });
  $("candidates").replaceChildren(candidateTable(answers, words));
}

/** Divide numbers by the largest of them. */
function shares(numbers) {
  const largest = Math.max(...numbers);
  return numbers.map((number) => number / largest);
}

/** Show another step; the keyboard stays on its button. */
function chooseStep(n) {
  page.chosen = n;
  update();
  $("symbols").children[n].focus();
}

/** Let the chosen step write another symbol, and see what follows. */
function force(steps, id) {
  page.forced = [...steps.slice(0, page.chosen).map(({ output }) => output.id), id];
  update();
  $("step").querySelector("[aria-pressed=true]")?.focus();
}

function start(chosen = 0) {
  page.forced = [];
  page.chosen = chosen;
  update();
}

/** Write every word of the page in its language. */
function write() {
  const words = WORDS[page.language];
  document.documentElement.lang = page.language;
  for (const element of document.querySelectorAll("[data-words]")) element.textContent = words[element.dataset.words];
  $("language").lang = page.language === "ko" ? "en" : "ko";
  const symbols = model.about.source.map((symbol) => shown({ symbol }, words));
  $("symbols-known").textContent = symbols.length <= FEW ? words.symbolsKnown(symbols.join(" ")) : "";
  $("known").textContent = words.known(model.about.source_features.join(", "));
  update();
}

$("features-field").hidden = model.about.source_features.length === 0;
[$("text").value, $("features").value = ""] = model.about.example.split("\t");
$("ask").addEventListener("submit", (event) => event.preventDefault());
$("text").addEventListener("input", () => start());
$("features").addEventListener("input", () => start());
$("let-through").addEventListener("change", () => start());
$("reset").addEventListener("click", () => start(page.chosen));
$("language").addEventListener("click", () => {
  page.language = page.language === "ko" ? "en" : "ko";
  write();
});
write();
