// Runs in a table, and their curves over one another; asked for again while one of them trains.
import { el, percent, scroller, section } from "./dom.js";
import { histories, runs as listRuns } from "./api.js";
import { legend, lineChart } from "./charts.js";
import { change, state } from "./state.js";
import { t } from "./strings.js";

const AGAIN = 2000, MOST = 8;

export function trainingView(known) {
  const list = el("div"), curves = el("div", { class: "pair" });
  let timer, runs = known;
  const chosen = () => {
    const named = state.runs.split("|").filter((name) => runs.some((run) => run.name === name));
    return (named.length ? named : runs.slice(0, 3).map((run) => run.name)).slice(0, MOST);
  };
  const draw = async () => {
    const names = chosen();
    curves.replaceChildren(...(names.length ? curvesOf((await histories(names)).histories) : []));
  };
  const choose = async (name, wanted) => {
    const names = chosen().filter((one) => one !== name);
    change({ runs: (wanted ? [...names, name] : names).join("|") });
    await draw();
  };
  const fill = () => {
    const focused = document.activeElement?.id;
    list.replaceChildren(tableOf(runs, chosen(), choose));
    if (focused) document.getElementById(focused)?.focus();
  };
  const tick = async () => {
    try {
      const some = runs.some((run) => run.status === "running");
      runs = (await listRuns()).runs;
      if (some || runs.some((run) => run.status === "running")) {
        fill();
        await draw();
      }
    } catch { /* the server may come back */ }
    timer = setTimeout(tick, AGAIN);
  };
  fill();
  draw().catch(() => {});
  timer = setTimeout(tick, AGAIN);
  return { node: el("div", { class: "view" }, section(t("runs"), t("live"), list), curves), left: () => clearTimeout(timer) };
}

function tableOf(runs, chosen, choose) {
  const rows = runs.map((run, at) => el("tr", {},
    el("td", {}, el("input", { type: "checkbox", id: `run-${at}`, checked: chosen.includes(run.name), "aria-label": t("chosenRuns", { name: run.name }),
      change: (event) => choose(run.name, event.target.checked) })),
    el("th", { scope: "row" }, el("label", { for: `run-${at}` }, run.name)),
    el("td", {}, el("span", { class: `status ${run.status ?? ""}` }, run.status ? t(run.status) : "—")), el("td", {}, run.data ?? "—"), el("td", {}, run.kind ?? "—"),
    el("td", { class: "number" }, run.epochs === null ? "—" : `${run.epochs}${run.epochs_planned ? ` / ${run.epochs_planned}` : ""}`),
    el("td", { class: "number" }, run.accuracy === null ? "—" : percent(run.accuracy))));
  const heads = ["", t("model"), t("status"), t("data"), t("kind"), t("epochs"), t("accuracy")];
  return scroller(t("runs"), el("table", { class: "rows runs" },
    el("thead", {}, el("tr", {}, heads.map((head, at) => (head ? el("th", { scope: "col", class: at > 4 ? "number" : "" }, head) : el("td", {}))))), el("tbody", {}, rows)));
}

function curvesOf(found) {
  const longest = Math.max(1, ...found.map((history) => history.epochs.length));
  const labels = Array.from({ length: longest }, (_, at) => String(at + 1));
  const of = (measure, dashed = false) => found.map((history, at) => ({ name: history.name, colour: at + 1, dashed, values: labels.map((_, epoch) => history.epochs[epoch]?.[measure] ?? null) }));
  if (found.every((history) => history.epochs.length === 0)) return [el("p", { class: "note" }, t("noEpochs"))];
  const accuracy = of("accuracy"), losses = [...of("validation_loss"), ...of("loss", true)];
  const highest = ceiling(Math.max(...losses.flatMap((line) => line.values.filter((value) => value !== null)), 0.01));
  return [
    section(t("accuracyCurve"), "", lineChart({ lines: accuracy, labels, ticks: [0, 0.25, 0.5, 0.75, 1], format: percent, title: described(t("accuracyCurve"), accuracy, percent), height: 240 }), legend(accuracy), details("accuracy", accuracy, labels, percent)),
    section(t("lossCurve"), t("lossNote"), lineChart({ lines: losses, labels, high: highest, ticks: [0, highest / 2, highest], format: (value) => value.toPrecision(2), title: described(t("lossCurve"), losses, (value) => value.toFixed(3)), height: 240 }), legend(of("validation_loss")), details("validation_loss", of("validation_loss"), labels, (value) => value.toFixed(4)))];
}

function ceiling(value) {
  const unit = 10 ** Math.floor(Math.log10(value));
  return Math.ceil((value / unit) * 2) * unit / 2;
}

const described = (title, lines, format) => `${title}: ${lines.filter((line) => !line.dashed).map((line) => {
  const last = line.values.filter((value) => value !== null).at(-1);
  return `${line.name} ${last === undefined ? "—" : format(last)}`;
}).join(", ")}`;

function details(measure, lines, labels, format) {
  return el("details", {}, el("summary", {}, t("asTable")), scroller(t(measure), el("table", { class: "rows" },
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, t("epoch")), lines.map((line) => el("th", { scope: "col", class: "number" }, line.name)))),
    el("tbody", {}, labels.map((label, at) => el("tr", {}, el("th", { scope: "row" }, label), lines.map((line) => el("td", { class: "number" }, line.values[at] === null ? "" : format(line.values[at])))))))));
}
