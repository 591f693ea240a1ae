// The page: which view is shown, in which language and colours.
import { el } from "./dom.js";
import { runs as listRuns } from "./api.js";
import { predictView } from "./predict.js";
import { change, readAddress, state } from "./state.js";
import { setLanguage, t } from "./strings.js";

const VIEWS = ["predict", "batch", "training", "about"];
const main = document.querySelector("main"), nav = document.querySelector("nav"), live = document.querySelector(".live");
let runs = [], leave = () => {}, turn = 0;

let speaking;
function say(text) {
  clearTimeout(speaking);
  speaking = setTimeout(() => { live.textContent = text; }, 400);
}

function frame() {
  const language = state.lang || (navigator.language.startsWith("ko") ? "ko" : "en");
  setLanguage(language);
  if (state.theme) document.documentElement.dataset.theme = state.theme;
  else delete document.documentElement.dataset.theme;
  document.querySelector(".skip").textContent = t("skip");
  nav.setAttribute("aria-label", t("nav"));
  nav.replaceChildren(...VIEWS.map((view) => el("a", { href: `#view=${view}`, "aria-current": view === state.view ? "page" : null, click: (event) => {
    event.preventDefault();
    change({ view }, true);
    show();
  } }, t(view))));
  const next = { "": "light", light: "dark", dark: "" }[state.theme];
  document.querySelector(".switches").replaceChildren(
    el("button", { type: "button", class: "quiet", lang: language === "ko" ? "en" : "ko", click: () => { change({ lang: language === "ko" ? "en" : "ko" }); show(); } }, t("language")),
    el("button", { type: "button", class: "quiet", "aria-label": `${t("theme")}: ${t(state.theme || "auto")}`, click: () => { change({ theme: next }); frame(); } }, `◐ ${t(state.theme || "auto")}`));
}

async function viewOf(view, names) {
  if (view === "training") return (await import("./training.js")).trainingView(runs);
  if (names.length === 0) return { node: el("p", { class: "note" }, t("noModel")) };
  if (view === "batch") return { node: (await import("./batch.js")).batchView(names, show) };
  if (view === "about") return { node: await (await import("./card.js")).cardView(names, show) };
  return { node: predictView(names, say, show) };
}

async function show() {
  const mine = ++turn;
  frame();
  leave();
  leave = () => {};
  const names = runs.filter((run) => run.has_model).map((run) => run.name);
  if (!names.includes(state.model)) state.model = names[0] ?? "";
  if (!names.includes(state.vs)) state.vs = "";
  if (!VIEWS.includes(state.view)) state.view = "predict";
  document.title = `${t(state.view)} · doldari`;
  try {
    const { node, left } = await viewOf(state.view, names);
    if (mine !== turn) return;
    main.replaceChildren(el("h1", { class: "hidden" }, t(state.view)), node);
    if (left) leave = left;
  } catch (problem) {
    main.replaceChildren(el("p", { class: "problem" }, problem.message === "offline" ? t("offline") : problem.message));
  }
}

window.addEventListener("popstate", () => { readAddress(); show(); });
readAddress();
frame();
listRuns().then((answer) => { runs = answer.runs; }, (problem) => {
  main.replaceChildren(el("p", { class: "problem" }, problem.message === "offline" ? t("offline") : problem.message));
  throw problem;
}).then(show);
