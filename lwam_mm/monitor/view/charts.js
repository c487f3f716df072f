"use strict";
// The charts of a build, which page and report draw alike: each function returns Plotly's arguments.

const OPTIONS = { responsive: true, displaylogo: false, displayModeBar: false };
const LAYOUT = { showlegend: true, margin: { l: 55, r: 50, t: 10, b: 40 }, legend: { orientation: "h", y: 1.12, itemsizing: "constant" }, uirevision: "keep" };
const CAMERA = { eye: { x: 1.5, y: 1.5, z: 1.1 }, center: { x: 0, y: 0, z: -0.2 } }; // all axes are in view
const HEALTH = [
  { key: "mean", name: "brightness", color: "#0072B2", dash: "solid" },
  { key: "contrast", name: "contrast", color: "#009E73", dash: "dot" },
  { key: "sharpness", name: "sharpness", color: "#CC79A7", dash: "dash" },
];

// A line of 10,000 points takes a second to draw, and a screen has fewer columns. Of neighbouring
// layers the largest value is shown, so that no defect is lost.
const MOST_POINTS = 2000;

function thinned(line) {
  const many = Math.ceil(line.x.length / MOST_POINTS);
  if (many <= 1) return { x: line.x, y: line.y };
  const x = [];
  const y = [];
  for (let start = 0; start < line.x.length; start += many) {
    let best = null;
    for (let i = start; i < Math.min(start + many, line.x.length); i += 1) {
      if (line.y[i] !== null && (best === null || line.y[i] > line.y[best])) best = i;
    }
    x.push(line.x[best === null ? start : best]);
    y.push(best === null ? null : line.y[best]);
  }
  return { x, y };
}

// A value without neighbours, such as that of the layer after a gap, makes no line: it has a point.
function drawn(line) {
  const { x, y } = thinned(line);
  const isKnown = (value) => value !== null && value !== undefined;
  const sizes = y.map((value, i) => (isKnown(value) && !isKnown(y[i - 1]) && !isKnown(y[i + 1]) ? 6 : 0));
  const mode = sizes.some(Boolean) ? "lines+markers" : "lines";
  return { ...line, x, y, mode, marker: { color: line.line.color, size: sizes } };
}

// `verdicts` has a letter for each number, `areas` what the layers' defects cover, by class.
function areaChart(numbers, verdicts, areas, colours, unit) {
  const names = Object.keys(colours).filter((name) => areas[name]);
  const lines = names.map((name) => {
    const at = new Map(areas[name].layers.map((layer, index) => [layer, areas[name].areas[index]]));
    // Of a layer that was not inspected nothing is known; it is not "no defect".
    const y = numbers.map((number, index) => ("nx".includes(verdicts[index]) ? null : at.get(number) || 0));
    return drawn({ name, x: numbers, y, line: { color: colours[name], width: 1.5 } });
  });
  return [lines, { ...LAYOUT, xaxis: { title: { text: "layer" } }, yaxis: { title: { text: unit }, rangemode: "tozero" } }, OPTIONS];
}

function mapChart(points, colours) {
  const isMm = points.unit === "mm";
  const names = Object.keys(colours).filter((name) => points.classes.includes(name));
  const clouds = names.map((name) => {
    const chosen = points.classes.flatMap((each, index) => (each === name ? [index] : []));
    const pick = (values) => chosen.map((index) => values[index]);
    const areas = pick(points.areas);
    return {
      name,
      type: "scatter3d",
      mode: "markers",
      x: pick(points.x),
      y: pick(points.y),
      z: pick(points.layers),
      text: areas.map((area) => `${area} ${isMm ? "mm²" : "px"}`),
      marker: { size: areas.map((area) => Math.min(12, 2 + Math.sqrt(area) / (isMm ? 1 : 10))), color: colours[name], opacity: 0.7 },
    };
  });
  const axis = (text) => ({ title: { text } });
  const yaxis = isMm ? axis("y, mm") : { ...axis("y, px"), autorange: "reversed" };
  const layout = {
    ...LAYOUT,
    margin: { l: 0, r: 0, t: 0, b: 0 },
    scene: { xaxis: axis(`x, ${points.unit}`), yaxis, zaxis: axis("layer"), camera: CAMERA },
  };
  return [clouds, layout, OPTIONS];
}

// `health` has a value or null for each number, by figure.
function healthChart(numbers, health) {
  const lines = HEALTH.map(({ key, name, color, dash }) => {
    const first = health[key].find((value) => value !== null) || 1;
    const y = health[key].map((value) => (value === null ? null : (100 * value) / first));
    return { name: `${name}, % of the first frame's`, y, line: { color, dash, width: 1.5 } };
  });
  const shift = health.shift_x.map((x, index) => (x === null ? null : Math.hypot(x, health.shift_y[index])));
  lines.push({ name: "shift, px", y: shift, yaxis: "y2", line: { color: "#D55E00", width: 1.5 } });
  const layout = {
    ...LAYOUT,
    xaxis: { title: { text: "layer" } },
    yaxis: { title: { text: "%" }, rangemode: "tozero" },
    yaxis2: { title: { text: "px" }, overlaying: "y", side: "right", rangemode: "tozero", showgrid: false, tickmode: "auto" },
  };
  return [lines.map((line) => drawn({ ...line, x: numbers })), layout, OPTIONS];
}
