// A figure as the server describes it, as options for ECharts. No figure is computed here.

import { colours, ofRole } from "./theme.js";

const TALL = 300, LOW = 210, GAP = 46, ROW = 26;
const COUNTED = new Set(["trial", "trials", "trials ended", "step"]);

/** A number as short text. */
function number(x) {
  if (x === 0) return "0";
  const size = Math.abs(x);
  const text = size >= 1e6 || size < 1e-4 ? x.toExponential(2) : String(Number(x.toPrecision(4)));
  return text.replace("-", "\u2212");
}

function columnsOf(plot, width) {
  return Math.min(plot.panels.length || 1, width < 620 ? 1 : width < 1100 ? 2 : 3);
}

/** How tall the canvas has to be at this width. */
function heightOf(plot, width) {
  if (plot.lines) return 340;
  const listed = plot.panels[0] && isListed(plot.panels[0]);
  if (listed) return Math.min(60 + ROW * plot.panels[0].y.ticks.length, 420);
  const rows = Math.ceil(plot.panels.length / columnsOf(plot, width));
  return rows > 1 || plot.panels.length > 1 ? rows * (LOW + GAP) : TALL;
}

function isListed(panel) {
  return panel.y.ticks.length > 0 && panel.marks.every((m) => ["bars", "spans", "points"].includes(m.kind)) && panel.y.label === "";
}

/**
 * Text cut to about so many pixels, with the whole in the table.
 *
 * ECharts keeps widths of texts in plain objects, where "__proto__" would be the prototype of all:
 * such a name gets a character that takes no room.
 */
function cut(text, pixels) {
  const most = Math.max(Math.floor(pixels / 6.6), 4);
  const shown = text.length > most ? `${text.slice(0, most - 1)}\u2026` : text;
  return shown in Object.prototype ? `\u200b${shown}` : shown;
}

function axis(form, vertical, room, narrow) {
  const c = colours();
  const made = {
    type: "value", scale: true, min: form.low ?? undefined, max: form.high ?? undefined,
    axisLine: { show: !vertical, onZero: false, lineStyle: { color: c.soft } }, axisTick: { show: false },
    splitLine: { show: form.ticks.length === 0 || !vertical, lineStyle: { color: c.line } },
    axisLabel: { color: c.soft, fontSize: 12, hideOverlap: true, formatter: number, showMinLabel: form.low === null, showMaxLabel: form.high === null },
    nameTextStyle: { color: c.ink, fontSize: 12 },
  };
  if (form.ticks.length) {
    const texts = new Map(form.ticks.map(([at, text]) => [at, text]));
    made.axisLabel.customValues = form.ticks.map(([at]) => at);
    made.axisTick.customValues = made.axisLabel.customValues;
    made.axisLabel.formatter = (at) => cut(texts.get(at) ?? nearest(form.ticks, at), room);
    made.splitLine = { show: false };
    made.axisLabel.showMinLabel = made.axisLabel.showMaxLabel = true;
  }
  if (!form.ticks.length && narrow) made.splitNumber = 3;
  if (COUNTED.has(form.label)) made.minInterval = 1;
  return made;
}

function nearest(ticks, at) {
  let found = "", away = 1e-6;
  for (const [place, text] of ticks) {
    if (Math.abs(place - at) < away) { away = Math.abs(place - at); found = text; }
  }
  return found;
}

const FINE = new Set(["plain", "early"]);
const DASHED = new Set(["luck", "early"]);
const shadeOf = (share) => Math.min(Math.floor((share ?? 0) * 5), 4);

function triples(mark, keep = () => true) {
  const found = [];
  for (let i = 0; i < mark.x.length; i++) {
    if (keep(i)) found.push([mark.x[i], mark.y[i], mark.trials[i] ?? -1]);
  }
  return found;
}

function scatter(mark, place, more) {
  return { type: "scatter", ...place, symbolSize: 6, cursor: "pointer", ...more };
}

function seriesOf(mark, place) {
  const colour = ofRole(mark.role);
  switch (mark.kind) {
    case "points":
      if (mark.role === "marked") {
        return [scatter(mark, place, { data: triples(mark), symbolSize: 13, itemStyle: { color: "transparent", borderColor: colour, borderWidth: 1.5 } })];
      }
      if (mark.shade.length) {
        return colours().shades.map((shade, level) =>
          scatter(mark, place, { data: triples(mark, (i) => shadeOf(mark.shade[i]) === level), itemStyle: { color: shade } }));
      }
      return [scatter(mark, place, { data: triples(mark), symbolSize: mark.role === "control" ? 9 : 6, itemStyle: { color: colour } })];
    case "crosses":
      return [scatter(mark, place, { data: triples(mark), symbol: "path://M0,0L8,8M8,0L0,8", symbolSize: 7, itemStyle: { color: "transparent", borderColor: colour, borderWidth: 1.5 } })];
    case "line": case "steps":
      return [{
        type: "line", ...place, data: triples(mark), step: mark.kind === "steps" ? "end" : false,
        showSymbol: false, silent: mark.trials.length === 0, triggerLineEvent: mark.trials.length > 0,
        lineStyle: { color: mark.role === "plain" ? colours().line : colour, width: FINE.has(mark.role) ? 1 : 1.75, type: DASHED.has(mark.role) ? "dashed" : "solid" },
      }];
    case "band":
      return [{
        type: "line", ...place, data: [], silent: true,
        markArea: { silent: true, itemStyle: { color: colour, opacity: 0.9 }, data: [[{ yAxis: mark.low[0] }, { yAxis: mark.high[0] }]] },
      }];
    case "heat": return [heat(mark, place)];
    default: return [lying(mark, place, colour)];
  }
}

/** Bars and spans: rectangles with, for bars, their intervals. */
function lying(mark, place, colour) {
  const c = colours();
  const data = mark.x.map((x, i) => [mark.kind === "bars" ? 0 : mark.low[i], mark.kind === "bars" ? x : mark.high[i], mark.y[i], mark.trials[i] ?? -1, mark.low[i] ?? x, mark.high[i] ?? x]);
  return {
    type: "custom", ...place, data, encode: { x: [0, 1], y: 2 }, cursor: mark.trials.length ? "pointer" : "default", clip: true,
    renderItem(params, api) {
      const [left, y] = api.coord([api.value(0), api.value(2)]);
      const [right] = api.coord([api.value(1), api.value(2)]);
      const tall = mark.kind === "bars" ? 14 : Math.max(Math.min(Math.abs(api.size([0, 1])[1]) * 0.6, 12), 1.5);
      const whisker = mark.kind === "bars" || mark.role === "quiet";
      const children = [];
      if (mark.role !== "quiet") {
        children.push({ type: "rect", shape: { x: left, y: y - tall / 2, width: Math.max(right - left, 1), height: tall }, style: { fill: mark.kind === "bars" ? c.line : colour } });
      }
      if (whisker) {
        const [low] = api.coord([api.value(4), api.value(2)]);
        const [high] = api.coord([api.value(5), api.value(2)]);
        const line = (x1, y1, x2, y2) => ({ type: "line", shape: { x1, y1, x2, y2 }, style: { stroke: c.ink, lineWidth: 1.25 } });
        children.push(line(low, y, high, y), line(low, y - 4, low, y + 4), line(high, y - 4, high, y + 4));
      }
      return { type: "group", children };
    },
  };
}

function heat(mark, place) {
  const across = mark.x.length, down = mark.y.length;
  const data = [];
  mark.shade.forEach((shade, k) => {
    if (shade !== null) data.push([mark.x[k % across], mark.y[Math.floor(k / across)], shade]);
  });
  const fills = colours().shades;
  return {
    type: "custom", ...place, data, silent: true, encode: { x: 0, y: 1 }, z: 0,
    renderItem(params, api) {
      const [x, y] = api.coord([api.value(0), api.value(1)]);
      const [width, height] = api.size([1 / across, 1 / down]);
      return { type: "rect", shape: { x: x - width / 2, y: y - height / 2, width: width + 0.5, height: height + 0.5 }, style: { fill: fills[shadeOf(api.value(2))], opacity: 0.5 } };
    },
  };
}

/** The options of a figure with panels. */
function option(plot, width) {
  const c = colours();
  const across = columnsOf(plot, width);
  const made = { animation: false, grid: [], xAxis: [], yAxis: [], series: [], title: [], textStyle: { fontFamily: "inherit" }, backgroundColor: "transparent" };
  const share = width / across;
  plot.panels.forEach((panel, i) => {
    const listed = isListed(panel);
    const labels = listed ? Math.min(Math.max(...panel.y.ticks.map(([, t]) => t.length)) * 7 + 12, share * 0.36) : 52;
    const row = Math.floor(i / across);
    const left = (i % across) * share + labels;
    const height = listed ? undefined : plot.panels.length > 1 ? LOW - 62 : undefined;
    made.grid.push({ left, width: share - labels - 16, top: row * (LOW + GAP) + 28, ...(height ? { height } : { bottom: 44 }) });
    const x = axis(panel.x, false, share / Math.max(panel.x.ticks.length, 4), width < 500 || across > 1);
    const y = axis(panel.y, true, labels - 10, plot.panels.length > 1);
    made.xAxis.push({ ...x, gridIndex: i, name: cut(panel.x.label, share - 60), nameLocation: "middle", nameGap: 28 });
    made.yAxis.push({ ...y, gridIndex: i, name: "" });
    made.title.push({ text: cut(panel.y.label || "", share - 20), left: (i % across) * share, top: row * (LOW + GAP), textStyle: { fontSize: 12, fontWeight: 600, color: c.ink } });
    for (const mark of panel.marks) {
      for (const series of seriesOf(mark, { xAxisIndex: i, yAxisIndex: i })) made.series.push({ id: `${i}-${made.series.length}`, ...series });
    }
  });
  return made;
}

export { option, heightOf, number, cut, shadeOf };
