// Begins here: finds what the page has, and keeps it up to date.

import { figure, part } from "./panels.js";
import { follow } from "./live.js";
import { wire } from "./form.js";

const { key, length, compare, list } = document.body.dataset;
const base = key ? `/s/${key}` : "";
const brushes = new Map(), typed = new Map();
let panels = [], timer = 0;

const state = {
  keys: compare ? compare.split(" ") : null,
  filters: () => [...brushes.values(), ...typed.values()].map((one) => one.text),
  brush(name, label, low, high) {
    if (low === null) brushes.delete(name);
    else brushes.set(name, { text: `share:${name}:${low}:${high}`, low, high, words: `${label}, as dragged on its axis` });
    clearTimeout(timer);
    timer = setTimeout(refilter, 350);
  },
  /** After a redraw the brushes are put back on their axes. */
  brushed(chart, plot) {
    for (const [name, one] of brushes) {
      const place = plot.lines.names.indexOf(name);
      if (place >= 0) {
        chart.dispatchAction({ type: "axisAreaSelect", parallelAxisId: `axis-${place}`, intervals: [[one.low, one.high]] }, { silent: true });
      }
    }
  },
};

function refilter() {
  const list = document.getElementById("filters");
  if (list) {
    list.replaceChildren(...[brushes, typed].flatMap((group) => [...group].map(([name, one]) => {
      const item = document.createElement("li");
      const said = document.createElement("span");
      said.textContent = one.words;
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = "Remove";
      button.setAttribute("aria-label", `Remove the filter ${one.words}`);
      button.addEventListener("click", () => { group.delete(name); refilter(); });
      item.append(said, " ", button);
      return item;
    })));
  }
  for (const panel of panels) {
    if (["parallel_coordinate", "slice"].includes(panel.element.dataset.figure)) { panel.again = 0; panel.force(); }
  }
}

function filterForm() {
  const form = document.getElementById("filter");
  form?.addEventListener("submit", (event) => {
    event.preventDefault();
    const { name, low, high } = Object.fromEntries(new FormData(form));
    if (low === "" && high === "") return;
    const label = form.elements.name.selectedOptions[0].textContent;
    typed.set(name, { text: `value:${name}:${low}:${high}`, words: `${label} from ${low || "its lowest"} to ${high || "its highest"}` });
    refilter();
  });
  form?.addEventListener("reset", () => { brushes.clear(); typed.clear(); refilter(); });
}

const thousands = (n) => n.toLocaleString("en-US");

function beat(pulse) {
  const said = {
    phase: pulse.phase, done: thousands(pulse.done), of: pulse.total ? ` of ${thousands(pulse.total)}` : "",
    ended: thousands(pulse.ended), trials: thousands(pulse.trials),
    steered: pulse.steered ? `Asked to ${pulse.steered}.` : "",
  };
  document.querySelectorAll("[data-pulse]").forEach((one) => {
    const text = said[one.dataset.pulse];
    if (one.textContent !== text) one.textContent = text;
  });
  const bar = document.querySelector(".now progress");
  if (bar) bar.hidden = !pulse.total;
  if (bar && pulse.total) { bar.max = pulse.total; bar.value = pulse.done; }
  const acts = document.querySelector(".acts");
  if (acts) acts.hidden = pulse.phase === "finished";
  panels.forEach((panel) => panel.want(pulse.length));
}

function begin() {
  panels = [
    ...[...document.querySelectorAll("[data-figure]")].map((one) => figure(one, base, state)),
    ...[...document.querySelectorAll("[data-part]")].map((one) => part(one, base)),
  ];
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      const panel = panels.find((one) => one.element === entry.target);
      panel.visible = entry.isIntersecting;
      panel.go();
    }
  }, { rootMargin: "200px" });
  for (const panel of panels) {
    panel.wanted = Number(length ?? 0);
    if (panel.element.dataset.part) panel.has = panel.wanted; // the server drew it with the page
    seen.observe(panel.element);
  }
  filterForm();
  if (key) { wire(key); follow(`${base}/stream`, beat); }
  if (list !== undefined) follow("/stream", (pulse) => panels.forEach((panel) => panel.want(pulse.length)));
}

begin();
