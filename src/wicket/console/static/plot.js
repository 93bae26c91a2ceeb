// Plots as SVG, each with a table of the same numbers for those who don't see it.

import { h, svg } from "./dom.js";
import { table } from "./parts.js";

const WIDTH = 640;
const HEIGHT = 200;
const LEFT = 52;
const BOTTOM = 22;
const WIDEST = 48;

// series: [{ name, values }], values as long as labels; bars stand on each other.
export function bars(title, labels, series, show) {
  const sums = labels.map((_, place) => series.reduce((sum, one) => sum + (one.values[place] || 0), 0));
  const top = ceiling(Math.max(...sums, 0));
  const plotted = frame(title, labels, top, show);
  const step = (WIDTH - LEFT) / labels.length;
  const width = Math.min(step * 0.72, WIDEST);
  labels.forEach((label, place) => {
    let below = 0;
    series.forEach((one, index) => {
      const value = one.values[place] || 0;
      if (!value) return;
      const height = (value / top) * (HEIGHT - BOTTOM - 8);
      below += height;
      plotted.append(
        svg("rect", { class: `s${index % 6}`, x: LEFT + (place + 0.5) * step - width / 2, y: HEIGHT - BOTTOM - below, width, height: Math.max(height, 1) },
          svg("title", {}, `${label}, ${one.name}: ${show(value)}`)),
      );
    });
  });
  return figure(title, plotted, labels, series, show);
}

function frame(title, labels, top, show) {
  const plotted = svg("svg", { class: "plot", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": title });
  for (const part of [0, 0.5, 1]) {
    const y = HEIGHT - BOTTOM - part * (HEIGHT - BOTTOM - 8);
    plotted.append(svg("line", { class: part ? "grid" : "axis", x1: LEFT, x2: WIDTH, y1: y, y2: y }));
    plotted.append(svg("text", { x: LEFT - 7, y: y + 4, "text-anchor": "end" }, show(part * top)));
  }
  const every = Math.max(1, Math.ceil(labels.length / 8));
  const step = (WIDTH - LEFT) / labels.length;
  labels.forEach((label, place) => {
    if (place % every) return;
    plotted.append(svg("text", { x: LEFT + (place + 0.5) * step, y: HEIGHT - 5, "text-anchor": "middle" }, label));
  });
  return plotted;
}

function figure(title, plotted, labels, series, show) {
  const columns = [["Day", (row) => row.label], ...series.map((one, index) => [one.name, (row) => show(one.values[row.place] || 0), "right"])];
  const rows = labels.map((label, place) => ({ label, place }));
  return h(
    "figure",
    {},
    h("figcaption", {}, title),
    plotted,
    series.length > 1 && h("ul", { class: "legend" }, series.map((one, index) => h("li", {}, h("span", { class: `swatch s${index % 6}` }), one.name))),
    h("details", {}, h("summary", {}, "The numbers"), table(title, columns, rows)),
  );
}

// 1, 2 or 5 times a power of ten, so that half of it is a plain number too.
function ceiling(value) {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 4, 5, 10].map((factor) => factor * power).find((one) => one >= value);
}

export function meter(part, whole, label) {
  const share = whole > 0 ? Math.max(0, Math.min(1, part / whole)) : 0;
  const span = h("span");
  span.style.width = `${100 * share}%`;
  const kind = share >= 1 ? "bad" : share >= 0.8 ? "warn" : "";
  return h("div", { class: `meter ${kind}`, role: "meter", "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": Math.round(100 * share), "aria-label": label }, span);
}
