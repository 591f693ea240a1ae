// An exported page: the view that predicts of the served page, with one model, which is in the page.
import { el, shown } from "./dom.js";
import { local, options } from "./api.js";
import { predictView } from "./predict.js";
import { change, readAddress, state } from "./state.js";
import { setLanguage, t } from "./strings.js";
import { say } from "./words.js";

const FEW = 60; // symbols that are listed
const { title, summary, example, source, source_features: features } = local.about;
const [main, live] = ["main", ".live"].map((one) => document.querySelector(one));

let speaking;
function announce(text) {
  clearTimeout(speaking);
  speaking = setTimeout(() => { live.textContent = text; }, 400);
}

function show() {
  const language = state.lang || (navigator.language.startsWith("ko") ? "ko" : "en");
  setLanguage(language);
  if (state.theme) document.documentElement.dataset.theme = state.theme;
  else delete document.documentElement.dataset.theme;
  const other = language === "ko" ? "en" : "ko", scheme = t(state.theme || "auto");
  const next = { "": "light", light: "dark", dark: "" }[state.theme];
  const quiet = (attributes, values, text) =>
    el("button", { type: "button", class: "quiet", ...attributes, click: () => { change(values); show(); } }, text);
  document.querySelector(".switches").replaceChildren(
    quiet({ lang: other }, { lang: other }, t("language")),
    quiet({ "aria-label": `${t("theme")}: ${scheme}` }, { theme: next }, `◐ ${scheme}`));
  const letThrough = () => { options.letThrough = box.checked; show(); };
  const box = el("input", { type: "checkbox", id: "let-through", checked: options.letThrough, change: letThrough });
  const list = (symbols) => symbols.slice(0, FEW).map(shown).join(" ");
  main.replaceChildren(predictView([title], announce, show),
    el("div", { class: "about" },
      el("div", { class: "choice" }, box, el("label", { for: "let-through" }, say("letThrough"))),
      source.length <= FEW && el("p", { class: "note" }, say("known", { symbols: list(source) })),
      features.length > 0 && el("p", { class: "note" }, say("knownFeatures", { symbols: list(features) })),
      el("p", { class: "note" }, `${summary}. ${say("offline")}`)));
}

readAddress();
state.model = title;
if (!location.hash) state.text = example;
window.addEventListener("popstate", () => { readAddress(); state.model = title; show(); });
show();
