// The panels of a page: each is fetched and drawn while it is in view, and only when it is stale.

import { option, heightOf } from "./chart.js";
import * as parallel from "./parallel.js";
import * as tip from "./tip.js";
import { onChange } from "./theme.js";

const LEAST_MS = 1000, SHARE = 10;

let measured = 0, echarts = null;

/** The library of charts: a megabyte that nothing on the page waits for but the charts. */
async function library() { echarts ??= await import("./echarts.js"); }

/** Notes how long a redraw took; the browser keeps the last few hundred. */
function measure(name, begin) {
  measured += 1;
  if (measured % 300 === 0) performance.clearMeasures();
  performance.measure(name, { start: begin, end: performance.now() });
}

/** Something that is shown, and fetched anew when the study has grown. */
class Stale {
  constructor(element, load) {
    this.element = element;
    this.load = load;
    this.wanted = 0;
    this.has = -1;
    this.visible = false;
    this.busy = false;
    this.again = 0;
    this.timer = 0;
  }

  want(length) { this.wanted = length; this.go(); }
  force() { this.has = -1; this.tag = undefined; this.go(); }

  go() {
    if (!this.visible || this.busy || this.has === this.wanted) return;
    const left = this.again - performance.now();
    if (left > 0) {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.go(), left);
      return;
    }
    this.run();
  }

  async run() {
    this.busy = true;
    const wanted = this.wanted, began = performance.now();
    try {
      await this.load(this);
      this.has = wanted;
      this.failed = 0;
    } catch (error) {
      this.failed = Math.min((this.failed ?? 0) + 1, 5);
    }
    const took = performance.now() - began;
    this.again = performance.now() + Math.max(LEAST_MS * (1 + (this.failed ?? 0)), took * SHARE);
    this.busy = false;
    if (this.has !== this.wanted || this.failed) this.go();
  }
}

async function fetched(address, panel) {
  const headers = panel.tag ? { "If-None-Match": panel.tag } : {};
  const answer = await fetch(address, { headers, cache: "no-store" });
  if (answer.status === 304) return null;
  if (!answer.ok && answer.status !== 400) throw new Error(String(answer.status));
  panel.tag = answer.ok ? answer.headers.get("ETag") : undefined;
  return answer;
}

const CAN_FOCUS = "a, button, input, summary, [tabindex]";

/** What an element is for, by which it is found again in a newer version of the page. */
function meant(element) {
  return [element.tagName, element.getAttribute("href"), element.getAttribute("value"), element.getAttribute("aria-label"), element.tagName === "SUMMARY"].join(" ");
}

/** A part of the page that the server renders; what was open, chosen or in focus stays so. */
function part(element, base) {
  return new Stale(element, async (panel) => {
    const answer = await fetched(`${base}/part/${element.dataset.part}`, panel);
    if (!answer) return;
    const text = await answer.text();
    const begin = performance.now();
    const open = [...element.querySelectorAll("details")].map((one) => one.open);
    const made = new DOMParser().parseFromString(text, "text/html").body;
    made.querySelectorAll("details").forEach((one, i) => { one.open = open[i] ?? one.open; });
    const chosen = new Set([...element.querySelectorAll("input:checked")].map((one) => one.value));
    made.querySelectorAll("input").forEach((one) => { one.checked = chosen.has(one.value); });
    const had = element.contains(document.activeElement) ? meant(document.activeElement) : null;
    element.replaceChildren(...made.childNodes);
    if (had) [...element.querySelectorAll(CAN_FOCUS)].find((one) => meant(one) === had)?.focus({ preventScroll: true });
    measure("assay-part", begin);
  });
}

/** A figure on a canvas, with its legend, its sentence and its table. */
function figure(element, base, state) {
  const kind = element.dataset.figure;
  const canvas = element.querySelector(".canvas");
  const about = element.querySelector(".about");
  const table = element.querySelector("table");
  let chart = null, plot = null, drawnAt = 0;

  function draw() {
    if (!plot) return;
    const empty = !plot.lines?.rows.length && !plot.panels.some((p) => p.marks.some((m) => m.x.length));
    canvas.hidden = empty; // before it is measured: what is hidden has no width
    element.classList.toggle("empty", empty);
    const width = canvas.clientWidth;
    if (!width && !empty) return;
    const begin = performance.now();
    if (!empty) {
      const height = heightOf(plot, width);
      if (!chart) {
        canvas.replaceChildren(); // what the server drew
        canvas.style.height = `${height}px`;
        chart = echarts.init(canvas, null, { renderer: "canvas", width, height });
        listen();
      } else if (chart.getHeight() !== height || chart.getWidth() !== width) {
        canvas.style.height = `${height}px`;
        chart.resize({ width, height });
      }
      const made = plot.lines ? parallel.option(plot, width) : option(plot, width);
      chart.setOption(made, { notMerge: true, lazyUpdate: false });
      if (plot.lines) state.brushed(chart, plot);
      drawnAt = width;
    }
    canvas.setAttribute("aria-label", `${plot.title}. ${plot.about}`);
    about.textContent = [plot.about, ...plot.notes].join(" ");
    legend();
    if (element.querySelector("details").open) fill();
    measure("assay-figure", begin);
  }

  function listen() {
    chart.on("mouseover", (event) => {
      const native = event.event?.event;
      if (native && plot) tip.show(words(event), native);
    });
    chart.on("mouseout", tip.hide);
    chart.on("globalout", tip.hide);
    chart.on("click", (event) => {
      const trial = trialOf(event);
      if (trial >= 0 && base.startsWith("/s/")) window.location.assign(`${base}/trials/${trial}`);
    });
    if (plot.lines) parallel.onBrush(chart, () => plot, (...brush) => state.brush(...brush));
  }

  const trialOf = (event) => {
    const value = event.value ?? event.data?.value;
    if (!Array.isArray(value)) return -1;
    return event.seriesType === "custom" ? value[3] ?? -1 : value[2] ?? -1;
  };

  function words(event) {
    const value = event.value, trial = trialOf(event);
    const lines = trial >= 0 ? [`trial ${trial}`] : [];
    if (event.seriesType === "scatter" && plot.panels.length) {
      const panel = plot.panels[Number(String(event.seriesId).split("-")[0])] ?? plot.panels[0];
      for (const [axis, at] of [[panel.x, value[0]], [panel.y, value[1]]]) {
        if (axis.label && axis.label !== "trial") lines.push(`${axis.label}: ${inWords(axis, at)}`);
      }
    }
    return lines.length ? lines : [plot.title];
  }

  function inWords(axis, at) {
    if (!axis.ticks.length) return String(Number(at.toPrecision(5))).replace("-", "\u2212");
    let best = axis.ticks[0];
    for (const tick of axis.ticks) if (Math.abs(tick[0] - at) < Math.abs(best[0] - at)) best = tick;
    return Math.abs(best[0] - at) < 1e-6 ? best[1] : `near ${best[1]}`;
  }

  function legend() {
    const list = element.querySelector(".legend");
    const seen = new Set();
    const items = [];
    for (const panel of plot.panels) {
      for (const mark of panel.marks) {
        if (!mark.name || seen.has(mark.role + mark.name)) continue;
        seen.add(mark.role + mark.name);
        const item = document.createElement("li");
        const key = document.createElement("span");
        key.className = `key key-${mark.role}`;
        const said = document.createElement("span");
        said.textContent = mark.name;
        item.append(key, said);
        items.push(item);
      }
    }
    list.replaceChildren(...items);
  }

  function fill() {
    const caption = document.createElement("caption");
    caption.textContent = plot.table.caption;
    const head = document.createElement("thead");
    const row = head.insertRow();
    plot.table.heads.forEach((text, i) => {
      const cell = document.createElement("th");
      cell.scope = "col";
      if (i) cell.className = "n";
      cell.textContent = text;
      row.append(cell);
    });
    const body = document.createElement("tbody");
    for (const cells of plot.table.rows) {
      const line = body.insertRow();
      cells.forEach((text, i) => {
        const cell = document.createElement(i ? "td" : "th");
        if (i) cell.className = "n"; else cell.scope = "row";
        cell.textContent = text;
        line.append(cell);
      });
    }
    table.replaceChildren(caption, head, body);
  }

  element.querySelector("details").addEventListener("toggle", (event) => { if (event.target.open && plot) fill(); });
  onChange(() => requestAnimationFrame(draw));
  new ResizeObserver(() => { if (chart && canvas.clientWidth && canvas.clientWidth !== drawnAt) draw(); }).observe(canvas);

  const panel = new Stale(element, async (self) => {
    const query = new URLSearchParams();
    element.querySelectorAll("select[data-param]").forEach((one) => query.append("param", one.value));
    if (kind === "parallel_coordinate" || kind === "slice") state.filters().forEach((text) => query.append("where", text));
    for (const key of state.keys ?? []) query.append("study", key);
    const address = kind === "compared" ? "/compare/figure" : `${base}/figure/${kind}`;
    const [answer] = await Promise.all([fetched(query.size ? `${address}?${query}` : address, self), library()]);
    if (!answer) return;
    const found = await answer.json();
    if (found.error) { about.textContent = found.error; return; }
    plot = found;
    draw();
  });
  element.querySelectorAll("select[data-param]").forEach((one) => one.addEventListener("change", () => { panel.again = 0; panel.force(); }));
  return panel;
}

export { figure, part };
