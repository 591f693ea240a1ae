// Many lines: pasted or from a file, predicted in pieces, and downloaded as TSV.
import { el, percent, scroller, section } from "./dom.js";
import { predict } from "./api.js";
import { choice } from "./predict.js";
import { change, state } from "./state.js";
import { t } from "./strings.js";

const PIECE = 200, MOST_CHARACTERS = 100_000, LONGEST = 2_000, SHOWN = 100; // as web/requests.py has them
const HEADER = ["source", "answer", "log_probability", "probability", "flags", "error"];

export function batchView(names, again) {
  const input = el("textarea", { id: "lines", class: "lines symbol", rows: "8", spellcheck: "false" });
  const progress = el("progress", { value: "0", max: "1", "aria-label": t("run"), hidden: true });
  const status = el("p", { class: "note", role: "status" });
  const results = el("div", { class: "results" });
  const file = el("input", { id: "file", class: "hidden", type: "file", accept: ".txt,.tsv,.csv,text/plain", change: () => read(file.files[0]) });
  const read = async (one) => { if (one) input.value = await one.text(); };
  const drop = el("div", { class: "drop",
    dragover: (event) => { event.preventDefault(); drop.classList.add("over"); }, dragleave: () => drop.classList.remove("over"),
    drop: (event) => { event.preventDefault(); drop.classList.remove("over"); read(event.dataTransfer.files[0]); } },
  el("label", { for: "lines" }, t("lines")), input,
  el("div", { class: "file" }, file, el("label", { for: "file", class: "chip" }, `↑ ${t("file")}`)));
  let abort = null;
  const button = el("button", { type: "button", class: "main", click: async () => {
    if (abort) { abort.abort(); return; }
    abort = new AbortController();
    button.textContent = t("stop");
    const lines = input.value.replace(/\r?\n$/, "").split(/\r?\n/);
    const rows = [];
    progress.hidden = false;
    try {
      for (const piece of pieces(lines, Number(state.beam))) {
        rows.push(...(await answered(piece, abort.signal)));
        progress.value = rows.length / lines.length;
        status.textContent = t("done", { n: rows.length, all: lines.length });
      }
    } catch (problem) {
      if (problem.name !== "AbortError") status.textContent = problem.message === "offline" ? t("offline") : problem.message;
    }
    abort = null;
    progress.hidden = true;
    button.textContent = t("run");
    results.replaceChildren(table(rows));
    const failed = rows.filter((row) => row.error).length;
    if (failed) status.textContent += ` · ${t("failed", { n: failed })}`;
  } }, t("run"));
  return el("div", { class: "view" },
    el("div", { class: "options" },
      choice("model", t("model"), names.map((name) => [name, name]), state.model, (value) => { change({ model: value }, true); again(); }),
      choice("beam", t("beam"), [["1", t("greedy")], ...[2, 3, 5, 10, 20].map((width) => [String(width), String(width)])], state.beam, (value) => change({ beam: value }))),
    el("p", { class: "note" }, t("batchNote")), drop, el("div", { class: "walk" }, button, progress), status, results);
}

function* pieces(lines, beam) {
  let piece = [], size = 0;
  for (const line of lines) {

    if (piece.length === PIECE || (piece.length && size + Math.min(line.length, LONGEST) * beam > MOST_CHARACTERS)) {
      yield piece;
      [piece, size] = [[], 0];
    }
    piece.push(line);
    size += Math.min(line.length, LONGEST) * beam;
  }
  if (piece.length) yield piece;
}

function line(error, source, answer) {
  if (source.length > LONGEST) return { error: t("long", { n: LONGEST }) };
  return error === null ? answer : { error };
}

async function answered(lines, signal) {
  const texts = lines.map((line) => (line.length > LONGEST ? "" : line.toWellFormed()));
  const { answers, errors } = await predict({ texts, model: state.model, beam: Number(state.beam), tolerant: true }, signal);
  return answers.map(([one], at) => ({ source: lines[at], ...line(errors[at], lines[at], one) }));
}

function table(rows) {
  const body = rows.slice(0, SHOWN).map((row) => el("tr", {}, el("td", { class: "symbol" }, row.source),
    row.error ? el("td", { colspan: "2", class: "problem" }, row.error)
      : [el("td", { class: "symbol" }, row.text), el("td", { class: "number" }, percent(row.probability))]));
  return section(t("answer"), rows.length > SHOWN ? t("first", { n: SHOWN }) : "",
    el("a", { class: "chip", href: URL.createObjectURL(new Blob([tsv(rows)], { type: "text/tab-separated-values" })), download: "predictions.tsv" }, `↓ ${t("download")}`),
    scroller(t("answer"), el("table", { class: "rows" },
      el("thead", {}, el("tr", {}, [t("source"), t("answer"), t("probability")].map((head, at) => el("th", { scope: "col", class: at === 2 ? "number" : "" }, head)))), el("tbody", {}, body))));
}

export function tsv(rows) {
  const cells = (row) => [row.source, row.text ?? "", row.error ? "" : row.log_probability.toFixed(4), row.error ? "" : row.probability.toPrecision(4), (row.flags ?? []).join(","), (row.error ?? "").replace(/[\t\n]/g, " ")];
  return [HEADER, ...rows.map(cells)].map((row) => row.join("\t")).join("\n") + "\n";
}
