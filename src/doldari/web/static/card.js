// The model card: the Markdown that doldari writes, of which only what stands in it is understood.
import { el, scroller, section, shown } from "./dom.js";
import { choice, pageOf } from "./predict.js";
import { change, state } from "./state.js";
import { t } from "./strings.js";

export async function cardView(names, again) {
  const page = await pageOf(state.model);
  const file = URL.createObjectURL(new Blob([page.card], { type: "text/markdown" }));
  return el("div", { class: "view" },
    el("div", { class: "options" }, choice("model", t("model"), names.map((name) => [name, name]), state.model, (value) => { change({ model: value }, true); again(); })),
    el("p", { class: "lead" }, page.summary),
    section(t("symbols"), "", el("p", { class: "symbols" }, page.symbols.map((symbol) => el("span", { class: "symbol" }, shown(symbol))))),
    section(t("card"), "", el("a", { class: "chip", href: file, download: "README.md" }, `↓ ${t("saveCard")}`), el("div", { class: "card" }, blocks(page.card))));
}

export function blocks(markdown) {
  const text = markdown.replace(/^---\n[\s\S]*?\n---\n/, "").replace(/^<!--.*?-->\n/m, "");
  const parts = text.split(/(^```[^\n]*\n[\s\S]*?^```$)/m).flatMap((part) => (part.startsWith("```") ? [part] : part.split(/\n{2,}/)));
  return parts.map((part) => part.trim()).filter(Boolean).map(block);
}

function block(text) {
  const lines = text.split("\n");
  if (text.startsWith("```")) return scroller(t("card"), el("pre", {}, el("code", {}, lines.slice(1, -1).join("\n"))));
  const heading = /^(#+) (.*)$/.exec(text);
  if (heading) return el(`h${Math.min(heading[1].length + 2, 6)}`, {}, inline(heading[2]));
  if (lines.every((line) => line.startsWith("|"))) return tableOf(lines);
  if (/^[-*] /.test(text)) return el("ul", {}, text.split(/\n(?=[-*] )/).map((item) => el("li", {}, inline(item.slice(2)))));
  return el("p", {}, inline(text));
}

function tableOf(lines) {
  const cells = (line) => line.replace(/^\||\|$/g, "").split(/(?<!\\)\|/).map((cell) => inline(cell.trim()));
  const [head, , ...rows] = lines;
  return scroller(t("card"), el("table", { class: "rows" }, el("thead", {}, el("tr", {}, cells(head).map((cell) => el("th", { scope: "col" }, cell)))),
    el("tbody", {}, rows.map((row) => el("tr", {}, cells(row).map((cell) => el("td", {}, cell)))))));
}

function inline(text) {
  return text.split(/(`+)(.+?)\1/).flatMap((part, at) => (at % 3 === 2 ? [el("code", {}, part.trim())] : at % 3 === 1 ? [] : [part.replace(/\\([\\`*_{}[\]()#+\-.!|<>])/g, "$1")]));
}
