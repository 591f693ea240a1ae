// What web/static/api.js asks of the server, asked of the model in this page.
import { say } from "./words.js";

const read = (id) => document.getElementById(id).textContent;
export const local = openModel(JSON.parse(read("about")), read("weights"));
globalThis.model = local; // for the browser's console: answersTo(model, "16+75")
export const options = { letThrough: false };

export async function explain({ text, beam, forced }) {
  const unknown = !options.letThrough ? "error" : local.about.copies ? "copy" : "unknown";
  try {
    if (local.source.isBlank(text)) throw new Unreadable("blank");
    return explanationOf(local, text, { unknown, beam, forced });
  } catch (problem) {
    if (!(problem instanceof Unreadable)) throw problem;
    throw new Error(say(problem.reason, { symbol: problem.symbol }));
  }
}

export async function model() {
  const { example, source_features: features, longest_source } = local.about;
  return { features, longest_source, examples: example ? [example] : [] };
}
