// The server's API.  An answer that is an error becomes an exception with the server's own line.

async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch (problem) {
    if (problem.name === "AbortError") throw problem;
    throw new Error("offline");
  }
  const body = await answer.json().catch(() => ({ error: `HTTP ${answer.status}` }));
  if (!answer.ok || body.error) throw Object.assign(new Error(body.error), { status: answer.status });
  return body;
}

const post = (path, body, signal) =>
  ask(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), signal });

export const explain = (request, signal) => post("/explain", request, signal);
export const predict = (request, signal) => post("/predict", request, signal);
export const runs = () => ask("/runs");
export const model = (name) => ask(`/model?name=${encodeURIComponent(name)}`);
export const histories = (names) => ask(`/history?${names.map((name) => `run=${encodeURIComponent(name)}`).join("&")}`);
