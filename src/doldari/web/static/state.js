// The state of the page is its address: what stands behind # can be kept, sent, and gone back to.

const DEFAULTS = { view: "predict", text: "", model: "", vs: "", beam: "5", forced: "", step: "0", runs: "", lang: "", theme: "" };

export const state = { ...DEFAULTS };

export function readAddress() {
  const given = new URLSearchParams(location.hash.slice(1));
  for (const [key, value] of Object.entries(DEFAULTS)) state[key] = given.get(key) ?? value;
}

export function change(values, remember = false) {
  Object.assign(state, values);
  const written = new URLSearchParams();
  for (const [key, value] of Object.entries(DEFAULTS)) if (String(state[key]) !== value) written.set(key, state[key]);
  const address = `#${written}`;
  if (address === location.hash || (address === "#" && !location.hash)) return;
  history[remember ? "pushState" : "replaceState"](null, "", address);
}

export const forcedIds = () => (state.forced ? state.forced.split(".").map(Number) : []);
