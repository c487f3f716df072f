"use strict";
// The page of the layer monitor. Texts from the record are only ever set as text, never as HTML.

const $ = (id) => document.getElementById(id);
const VERDICTS = {
  o: { name: "ok", height: 0.35 },
  m: { name: "minor", height: 0.7 },
  c: { name: "critical", height: 1 },
  n: { name: "not_inspected", height: 0.2 },
  x: { name: "missing", height: 1 },
};
const WORST = "xonmc"; // the later, the sooner it shows where many layers share a column
const RETRY_MS = 3000;
const STEPS = { recoated: "recoating", exposed: "exposure" };

let colours = {};
let builds = [];
let build = null; // the build that is shown
let layers = new Map(); // number -> { id, letter, health by name }
let numbers = []; // of the layers, in order
let shown = null; // number of the layer that is shown
let corners = null; // of the region that is being drawn, in px of the frame
let details = null; // of the layer that is shown
let lastState = {};

async function get(path) {
  const answer = await fetch(path);
  if (answer.status === 401) location.assign("/login");
  if (!answer.ok) throw new Error(await problem(answer));
  return answer.json();
}

// What an answer says is wrong; a proxy's answer is no JSON.
async function problem(answer) {
  const { detail } = await answer.json().catch(() => ({}));
  return detail || `${answer.status} ${answer.statusText}`;
}

function noteTime(name) {
  document.body.dataset[name] = Math.round(performance.now()); // ms since the request
}

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

// ---- builds -------------------------------------------------------------------------------------

async function loadBuilds() {
  builds = await get("/api/builds");
  const wanted = build ? build.id : builds.length ? builds[0].id : null;
  $("build").replaceChildren(
    ...builds.map((each) => Object.assign(element("option", each.build), { value: each.id })),
  );
  build = builds.find((each) => each.id === wanted) || null;
  if (build) $("build").value = build.id;
  const step = $("step").value;
  const steps = build ? build.steps : [];
  $("step").replaceChildren(
    ...steps.map((each) => Object.assign(element("option", STEPS[each]), { value: each })),
  );
  if (steps.includes(step)) $("step").value = step;
  showCounts();
}

function showCounts() {
  const counts = ["seen", "missing", "late", "duplicate", "revised", "not_inspected"];
  $("counts").textContent = build
    ? counts.map((name) => `${build[name]} ${name.replace("_", " ")}`).join(", ")
    : "Nothing is recorded yet: the first layer appears here by itself.";
}

async function loadBuild() {
  layers = new Map();
  numbers = [];
  shown = null;
  if (!build) return;
  await Promise.all([addLayers(0), loadAreas()]);
  await Promise.all([show(newest()), loadAlarms(), drawCharts()]);
  drawMap();
}

async function addLayers(after) {
  const found = await get(`/api/builds/${build.id}/layers?step=${$("step").value}&after=${after}`);
  found.numbers.forEach((number, index) => {
    const health = Object.fromEntries(
      Object.entries(found.health).map(([name, values]) => [name, values[index]]),
    );
    layers.set(number, { id: found.ids[index], letter: found.verdicts[index], health });
  });
  numbers = [...layers.keys()].sort((a, b) => a - b);
  $("slider").max = Math.max(0, numbers.length - 1);
  drawStrip();
}

// ---- the strip ----------------------------------------------------------------------------------

function drawStrip() {
  const canvas = $("strip");
  const ratio = window.devicePixelRatio || 1;
  const width = (canvas.width = Math.max(1, Math.round(canvas.clientWidth * ratio)));
  const height = (canvas.height = Math.round(44 * ratio));
  const pen = canvas.getContext("2d");
  const bar = width / Math.max(1, numbers.length);
  const worst = new Map(); // by column of pixels
  numbers.forEach((number, index) => {
    const column = bar >= 1 ? index : Math.floor(index * bar);
    const letter = layers.get(number).letter;
    if (!worst.has(column) || WORST.indexOf(letter) > WORST.indexOf(worst.get(column))) {
      worst.set(column, letter);
    }
  });
  const wide = Math.max(1, bar);
  for (const [column, letter] of worst) {
    const { name, height: share } = VERDICTS[letter];
    const left = column * wide;
    pen.fillStyle = colours[name];
    pen.fillRect(left, height * (1 - share), wide > 3 ? wide - 1 : wide, height * share);
    if (letter === "x") {
      pen.strokeStyle = "#000";
      pen.strokeRect(left + 0.5, 0.5, Math.max(1, wide - 1), height - 1);
    }
  }
  if (shown !== null) {
    const middle = (numbers.indexOf(shown) + 0.5) * bar;
    pen.fillStyle = "#000";
    pen.beginPath();
    pen.moveTo(middle - 6 * ratio, 0);
    pen.lineTo(middle + 6 * ratio, 0);
    pen.lineTo(middle, 9 * ratio);
    pen.fill();
  }
  const counts = {};
  for (const { letter } of layers.values()) counts[letter] = (counts[letter] || 0) + 1;
  const told = Object.entries(VERDICTS).map(([letter, { name }]) => `${counts[letter] || 0} ${name.replace("_", " ")}`);
  canvas.setAttribute("aria-label", `Verdicts of ${numbers.length} layers: ${told.join(", ")}`);
  $("legend").replaceChildren(
    ...Object.entries(VERDICTS).map(([letter, { name, height: share }]) => {
      const item = element("li");
      const swatch = element("span");
      swatch.style.background = colours[name];
      swatch.style.height = `${Math.round(14 * share)}px`;
      item.append(swatch, `${name.replace("_", " ")} (${counts[letter] || 0})`);
      return item;
    }),
  );
}

// ---- one layer ----------------------------------------------------------------------------------

async function show(number) {
  if (!layers.has(number)) return;
  shown = number;
  const { id } = layers.get(number);
  $("slider").value = numbers.indexOf(number);
  drawStrip();
  const found = await get(`/api/layers/${id}`);
  if (shown !== number) return; // another one was chosen meanwhile
  details = found;
  const height = found.height_um === null ? "" : `, ${(found.height_um / 1000).toFixed(3)} mm`;
  $("layer-title").textContent = `Layer ${number}${height}, after ${STEPS[found.step]}`;
  $("verdict").textContent =
    `${found.state === "missing" ? "missing" : found.verdict.replace("_", " ")}` +
    `${found.reason ? `: ${found.reason}` : ""}${found.late ? " (came late)" : ""}` +
    `${found.health.warning ? ` (${found.health.warning})` : ""}`;
  $("regions").tBodies[0].replaceChildren(...found.regions.map(regionRow));
  $("gone").textContent = "";
  $("frame").alt = `Image of layer ${number}`;
  $("overlay").removeAttribute("src");
  if (found.path === null) {
    $("frame").removeAttribute("src");
    $("gone").textContent = found.reason || "There is no image of this layer.";
    return;
  }
  $("frame").src = `/api/layers/${id}/image.jpg`;
  if (found.state === "inspected") $("overlay").src = `/api/layers/${id}/overlay.png`;
}

function regionRow(region) {
  const row = element("tr");
  const name = element("td");
  const dot = element("span", undefined, "dot");
  dot.style.background = areas.colours[region.class_name] || "#999";
  name.append(dot, region.class_name + (region.background ? " (background)" : ""));
  const area = region.area_mm2 === null ? `${region.area_px} px` : `${region.area_mm2.toFixed(2)} mm²`;
  const place =
    region.plate_x_mm === null
      ? `${region.centre_x.toFixed(0)}, ${region.centre_y.toFixed(0)} px`
      : `${region.plate_x_mm.toFixed(1)}, ${region.plate_y_mm.toFixed(1)} mm`;
  row.append(name, element("td", area), element("td", place), element("td", region.part_id ?? ""), element("td", region.track ?? ""));
  return row;
}

function placeOverlay() {
  const frame = $("frame").getBoundingClientRect();
  const around = $("picture").getBoundingClientRect();
  for (const each of [$("overlay"), $("drawing")]) {
    each.style.left = `${frame.left - around.left}px`;
    each.style.top = `${frame.top - around.top}px`;
    each.style.width = `${frame.width}px`;
    each.style.height = `${frame.height}px`;
  }
  drawCorners();
}

// The layer that was recorded last: after a wrong number it is not the highest.
function newest() {
  let found;
  for (const [number, { id, letter }] of layers) {
    if (letter !== "x" && (found === undefined || id > layers.get(found).id)) found = number;
  }
  return found;
}

function move(by) {
  const index = Math.min(numbers.length - 1, Math.max(0, numbers.indexOf(shown) + by));
  $("follow").checked = numbers[index] === newest();
  if (numbers.length) choose(numbers[index]);
}

function choose(number) {
  show(number).catch((error) => showState({ trouble: error.message }));
}

// ---- the region of interest ---------------------------------------------------------------------

function drawCorners() {
  const drawing = $("drawing");
  drawing.replaceChildren();
  if (!corners || !details) return;
  const scale = $("frame").clientWidth / details.image_width;
  const svg = "http://www.w3.org/2000/svg";
  const polygon = document.createElementNS(svg, "polygon");
  polygon.setAttribute("points", corners.map(([x, y]) => `${x * scale},${y * scale}`).join(" "));
  drawing.append(polygon);
  for (const [x, y] of corners) {
    const circle = document.createElementNS(svg, "circle");
    circle.setAttribute("cx", x * scale);
    circle.setAttribute("cy", y * scale);
    circle.setAttribute("r", 4);
    drawing.append(circle);
  }
  $("roi-text").value = corners.length < 3 ? "" : `roi = [${corners.map(([x, y]) => `[${x}, ${y}]`).join(", ")}]`;
}

$("draw").addEventListener("click", () => {
  corners = corners ? null : [];
  $("draw").setAttribute("aria-pressed", corners !== null);
  $("picture").classList.toggle("drawing", corners !== null);
  $("roi").hidden = corners === null;
  $("roi-text").value = "";
  placeOverlay();
});
$("frame").addEventListener("click", (event) => {
  if (!corners || !details) return;
  const box = $("frame").getBoundingClientRect();
  const scale = details.image_width / box.width;
  corners.push([Math.round((event.clientX - box.left) * scale), Math.round((event.clientY - box.top) * scale)]);
  drawCorners();
});
$("roi-undo").addEventListener("click", () => {
  corners.pop();
  drawCorners();
});
$("roi-copy").addEventListener("click", () => {
  $("roi-text").select();
  if (navigator.clipboard) navigator.clipboard.writeText($("roi-text").value);
});

// ---- alarms -------------------------------------------------------------------------------------

const alarmItems = new Map(); // id -> its item in the list

// Items stay where they are and only change what they show: a press of a button, and a note that
// someone is writing, must not be lost because a layer arrived meanwhile.
async function loadAlarms() {
  const alarms = await get(`/api/builds/${build.id}/alarms`);
  const isOpen = (alarm) => alarm.ended_layer === null && alarm.acknowledged_at === null;
  $("open-count").textContent = `${alarms.filter(isOpen).length} open of ${alarms.length}`;
  const listed = new Map(alarms.slice(0, 200).map((alarm) => [alarm.id, alarm]));
  for (const [id, { item, keepNote }] of alarmItems) {
    if (listed.has(id)) continue;
    keepNote();
    item.remove();
    alarmItems.delete(id);
  }
  let place = 0;
  for (const [id, alarm] of listed) {
    if (!alarmItems.has(id)) alarmItems.set(id, alarmItem(alarm));
    const { item, update } = alarmItems.get(id);
    update(alarm, isOpen(alarm));
    const there = $("alarms").children[place++];
    if (there !== item) $("alarms").insertBefore(item, there || null);
  }
}

function alarmItem({ id, kind, layer, message, raised_at: raised, severity, step }) {
  const item = element("li");
  const facts = element("div");
  const row = element("div", undefined, "row");
  const jump = element("button", `Layer ${layer}`);
  jump.addEventListener("click", () => {
    $("follow").checked = false;
    if (step !== $("step").value) {
      $("step").value = step;
      inTurn(loadBuild).then(() => choose(layer));
    } else choose(layer);
  });
  const acknowledge = element("button", "Acknowledge");
  acknowledge.addEventListener("click", () => change(id, { acknowledge: true }));
  row.append(jump, acknowledge, element("span", "it is"));
  const verdicts = ["real", "false", "unsure"].map((verdict) => {
    const button = element("button", verdict);
    button.addEventListener("click", () => change(id, { verdict }));
    return button;
  });
  row.append(...verdicts);
  const note = Object.assign(element("textarea"), { rows: 1, maxLength: 2000, placeholder: "note" });
  note.setAttribute("aria-label", `Note on the alarm: ${message}`);
  note.addEventListener("blur", keepNote); // unlike "change" also if it was not kept before
  item.append(element("div", `${severity}: ${message}`, "what"), facts, row, note);
  let kept = ""; // the note in the record

  function keepNote() {
    if (note.value !== kept) change(id, { note: note.value });
  }

  function update(alarm, isOpen) {
    item.className = isOpen ? severity : "closed";
    const ended = alarm.ended_layer === null ? "" : `, ended with layer ${alarm.ended_layer}`;
    const by = alarm.acknowledged_at === null ? "" : `, acknowledged by ${alarm.acknowledged_by}`;
    facts.textContent = `${kind}, raised ${new Date(raised).toLocaleString()}${ended}${by}`;
    // Who works with the keyboard stays at this alarm.
    if (!isOpen && document.activeElement === acknowledge) jump.focus({ preventScroll: true });
    acknowledge.hidden = !isOpen;
    for (const button of verdicts) {
      button.setAttribute("aria-pressed", alarm.operator_verdict === button.textContent);
    }
    if (note.value === kept) note.value = alarm.note || ""; // unless someone is writing
    kept = alarm.note || "";
  }
  return { item, update, keepNote };
}

async function change(id, what) {
  const by = $("by").value.trim() || "operator";
  localStorage.setItem("by", by);
  try {
    const answer = await fetch(`/api/alarms/${id}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ by, ...what }),
    });
    if (!answer.ok) throw new Error(await problem(answer));
  } catch (error) {
    showState({ trouble: `not kept: ${error.message}` });
    return;
  }
  await inTurn(loadAlarms);
}

// ---- charts -------------------------------------------------------------------------------------

let areas = null; // of each class over the layers
let mapPath = null; // of the map that is drawn last
const plotly = new Promise((resolve) => document.addEventListener("DOMContentLoaded", resolve));

async function loadAreas() {
  areas = await get(`/api/builds/${build.id}/areas?step=${$("step").value}`);
}

async function drawCharts() {
  await plotly;
  const known = numbers.map((number) => layers.get(number));
  const verdicts = known.map(({ letter }) => letter);
  Plotly.react("areas", ...areaChart(numbers, verdicts, areas.classes, areas.colours, areas.unit));
  const names = ["mean", "contrast", "sharpness", "shift_x", "shift_y"];
  const health = Object.fromEntries(names.map((name) => [name, known.map((layer) => layer.health[name])]));
  Plotly.react("health", ...healthChart(numbers, health));
}

// Three dimensions take longer than all the rest to draw, so nothing waits for them.
function drawMap() {
  const path = `/api/builds/${build.id}/map?step=${$("step").value}`;
  mapPath = path;
  get(path)
    .then((map) => {
      if (mapPath !== path) return null; // another one was chosen meanwhile
      $("left-out").textContent = map.left_out ? `${map.left_out} of the smallest regions are left out.` : "";
      return Plotly.react("map", ...mapChart(map, map.colours));
    })
    .then(() => noteTime("mapped"))
    .catch((error) => showState({ trouble: error.message }));
}

// ---- live ---------------------------------------------------------------------------------------

function showPutAside({ put_aside: files, put_aside_reason: reason }) {
  $("aside").textContent = files
    ? `${files} ${files === 1 ? "file was" : "files were"} put aside, the last as ${reason}`
    : "";
}

function showState(state) {
  const pill = $("state");
  pill.className = state.trouble ? "bad" : "good";
  pill.textContent = state.trouble || "watching";
  pill.title = state.recorded_at ? `last layer recorded ${state.recorded_at}` : "";
}

async function onState(state) {
  showState(state);
  showPutAside(state);
  if (state.layer_id === lastState.layer_id && state.alarms === lastState.alarms) return;
  await catchUp(state);
  lastState = state; // not before: if that failed, the next event tries again
}

async function catchUp(state) {
  const known = Math.max(0, ...[...layers.values()].map(({ id }) => id));
  await loadBuilds();
  if (!build || (state.build_id !== build.id && $("follow").checked)) {
    build = builds.find((each) => each.id === state.build_id) || build;
    if (build) $("build").value = build.id;
    await loadBuilds();
    await loadBuild();
    return;
  }
  if (state.layer_id !== lastState.layer_id) {
    await addLayers(known);
    await loadAreas();
    if ($("follow").checked) await show(newest());
    await drawCharts();
    drawMap();
  }
  await loadAlarms();
}

let queue = Promise.resolve();

// One change of what is shown after the other: of two at a time the layers would mix.
function inTurn(work) {
  queue = queue.then(work).catch((error) => showState({ trouble: error.message }));
  return queue;
}

function listen() {
  const source = new EventSource("/api/events");
  source.onmessage = (event) => {
    const state = JSON.parse(event.data);
    inTurn(() => onState(state));
  };
  source.onerror = () => {
    lastState = {};
    showState({ trouble: "the monitor does not answer: is it running?" });
    // After an answer that is an error, such as a proxy's, the browser does not try again by itself.
    if (source.readyState === EventSource.CLOSED) {
      setTimeout(() => get("/api/state").then(listen, source.onerror), RETRY_MS);
    }
  };
}

// ---- controls -----------------------------------------------------------------------------------

$("build").addEventListener("change", () =>
  inTurn(async () => {
    build = builds.find((each) => each.id === Number($("build").value));
    $("follow").checked = false;
    await loadBuilds();
    await loadBuild();
  }),
);
$("step").addEventListener("change", () => inTurn(loadBuild));
$("slider").addEventListener("input", () => move(Number($("slider").value) - numbers.indexOf(shown)));
$("previous").addEventListener("click", () => move(-1));
$("next").addEventListener("click", () => move(1));
$("follow").addEventListener("change", () => $("follow").checked && choose(newest()));
$("strip").addEventListener("click", (event) => {
  const index = Math.floor((event.offsetX / $("strip").clientWidth) * numbers.length);
  move(index - numbers.indexOf(shown));
});
$("show-overlay").addEventListener("change", () => ($("overlay").hidden = !$("show-overlay").checked));
$("opacity").addEventListener("input", () => ($("overlay").style.opacity = $("opacity").value / 100));
$("frame").addEventListener("load", placeOverlay);
$("frame").addEventListener("error", async () => {
  const path = $("frame").getAttribute("src");
  if (path === null) return;
  const reason = await fetch(path).then(
    (answer) => (answer.ok ? "The image could not be shown: choose the layer again." : problem(answer)),
    (error) => error.message,
  );
  if ($("frame").getAttribute("src") !== path) return; // another one was chosen meanwhile
  $("gone").textContent = reason;
  $("frame").removeAttribute("src");
});
window.addEventListener("resize", () => {
  placeOverlay();
  drawStrip();
});
document.addEventListener("keydown", (event) => {
  if (["INPUT", "TEXTAREA", "SELECT"].includes(event.target.tagName) && event.target.type !== "checkbox") return;
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const keys = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -numbers.length, End: numbers.length };
  if (event.key in keys) {
    event.preventDefault();
    move(keys[event.key]);
  } else if (event.key === "o") {
    $("show-overlay").click();
  }
});

async function start() {
  $("by").value = localStorage.getItem("by") || "";
  $("overlay").style.opacity = $("opacity").value / 100;
  colours = await get("/api/colours");
  await loadBuilds();
  await loadBuild();
  noteTime("shown");
  listen();
}

function begin() {
  start().catch((error) => {
    showState({ trouble: error.message });
    setTimeout(begin, RETRY_MS);
  });
}

begin();
