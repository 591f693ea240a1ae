// Lines over positions or epochs, and the beam search as a tree: SVG, with colours from the style sheet.
import { el, percent, scroller, section, shown, svg } from "./dom.js";
import { t } from "./strings.js";

// lines: [{name, values: [number or null], dashed, colour: 1..8}]; labels stand below the positions.
export function lineChart({ lines, labels, low = 0, high = 1, ticks, format, title, width = 560, height = 190 }) {
  width = Math.min(width, document.documentElement.clientWidth - 64);
  const left = 46, right = 12, top = 10, bottom = 26, count = Math.max(labels.length, 2);
  const x = (at) => left + ((width - left - right) * at) / (count - 1);
  const y = (value) => height - bottom - ((height - top - bottom) * (value - low)) / (high - low || 1);
  const every = Math.ceil(labels.length / Math.floor((width - left) / 26));
  const grid = ticks.map((tick) => [
    svg("line", { class: "grid", x1: left, x2: width - right, y1: y(tick), y2: y(tick) }),
    svg("text", { class: "tick", x: left - 8, y: y(tick) + 4, "text-anchor": "end" }, format(tick))]);
  const names = labels.map((label, at) => at % every === 0 &&
    svg("text", { class: "tick", x: labels.length === 1 ? x(0) : x(at), y: height - 8, "text-anchor": "middle" }, label));
  const drawn = lines.map(({ values, dashed, colour }) => {
    const points = values.map((value, at) => (value === null ? null : [x(at), y(Math.min(Math.max(value, low), high))]));
    const path = points.map((point, at) => point && `${at && points[at - 1] ? "L" : "M"}${point.map((one) => one.toFixed(1)).join(" ")}`).filter(Boolean).join("");
    const dots = points.length > 40 ? [] : points.map((point) => point && svg("circle", { class: `dot c${colour}`, cx: point[0], cy: point[1], r: dashed ? 1.6 : 2.6 }));
    return [svg("path", { class: `line c${colour}${dashed ? " dashed" : ""}`, d: path }), dots];
  });
  return svg("svg", { class: "chart", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": title }, grid, names, drawn);
}

export function legend(lines) {
  return el("ul", { class: "legend" }, lines.map(({ name, colour, dashed }) =>
    el("li", {}, el("i", { class: `key c${colour}${dashed ? " dashed" : ""}` }), name)));
}

// The gates of one side, by layer and direction.
export function gatesPanel(explanation) {
  const sides = [["encoder", explanation.encoder], ["decoder", explanation.decoder]].filter(([, insides]) => insides);
  const charts = sides.flatMap(([side, insides]) => insides.gates.map(({ layer, ...gates }) => {
    const lines = Object.entries(gates).map(([gate, values], at) => ({ name: t(gate), values, colour: at + 1 }));
    const name = `${t(side)}${insides.gates.length > 1 ? `, ${t("layer")} ${layer}` : ""}`;
    const means = lines.map((line) => `${line.name} ${line.values.map((value) => value.toFixed(2)).join(" ")}`).join("; ");
    return el("figure", {}, el("figcaption", {}, name),
      lineChart({ lines, labels: insides.order.map(shown), ticks: [0, 0.5, 1], format: (value) => value, title: `${name}: ${means}`, width: 460, height: 170 }),
      legend(lines));
  }));
  return charts.length ? section(t("gates"), t("gatesNote"), el("div", { class: "pair" }, charts)) : null;
}

// The beam: nodes from left to right, a row for each end.
export function treePanel(explanation) {
  const nodes = explanation.tree;
  if (!nodes.length) return null;
  const children = nodes.map(() => []), roots = [];
  nodes.forEach((node, at) => (node.parent < 0 ? roots : children[node.parent]).push(at));
  const place = [], order = [];
  let rows = 0;
  const visit = (at, depth) => {
    order.push(at);
    const below = children[at].map((child) => visit(child, depth + 1));
    const y = below.length ? (below[0] + below[below.length - 1]) / 2 : rows++;
    place[at] = [depth, y];
    return y;
  };
  const tops = roots.map((at) => visit(at, 1));
  const best = new Set();
  for (let at = nodes.findIndex((node) => node.rank === 1); at >= 0; at = nodes[at].parent) best.add(at);
  const alive = new Set();
  nodes.forEach((node, end) => { if (node.rank !== null) for (let at = end; at >= 0; at = nodes[at].parent) alive.add(at); });
  const stepX = 60, stepY = 40, deepest = Math.max(...place.map(([depth]) => depth));
  const x = (depth) => 22 + depth * stepX, y = (row) => 18 + row * stepY, startY = (tops[0] + tops[tops.length - 1]) / 2;
  const kind = (at) => `${best.has(at) ? " best" : ""}${alive.has(at) ? "" : " dropped"}`;
  const edges = order.map((at) => {
    const [depth, row] = place[at], from = nodes[at].parent < 0 ? startY : place[nodes[at].parent][1];
    const middle = x(depth) - stepX / 2;
    return svg("path", { class: `edge${kind(at)}`, "stroke-width": (0.8 + 3.2 * nodes[at].probability).toFixed(2),
      d: `M${x(depth - 1) + 13} ${y(from)}C${middle} ${y(from)} ${middle} ${y(row)} ${x(depth) - 13} ${y(row)}` });
  });
  const marks = order.map((at) => {
    const [depth, row] = place[at], node = nodes[at];
    return svg("g", { class: `node${kind(at)}`, transform: `translate(${x(depth)} ${y(row)})` },
      svg("circle", { r: 12 }), svg("text", { y: 5, "text-anchor": "middle" }, shown(node.symbol)),
      svg("text", { class: "p", y: 23, "text-anchor": "middle" }, percent(node.probability)),
      node.rank !== null && svg("text", { class: "rank", x: 18, y: 4 }, `${node.rank}.`));
  });
  const answers = explanation.n_best.map((one) => `${one.text} ${percent(one.probability)}`).join(", ");
  const width = x(deepest) + 44, height = y(rows - 1) + 30;
  return section(t("tree"), t("treeNote"), scroller(t("tree"),
    svg("svg", { class: "tree", width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${t("tree")}: ${answers}` },
      edges, svg("g", { class: "node best", transform: `translate(${x(0)} ${y(startY)})` }, svg("circle", { r: 13 }),
        svg("text", { y: 5, "text-anchor": "middle" }, "▷")), marks)));
}
