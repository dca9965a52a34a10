// Parallel axes with brushing: what is dragged along an axis filters the other figures too.

import { colours } from "./theme.js";
import { cut, number, shadeOf } from "./chart.js";

/** Names at the edges reach inwards, where there is room for them. */
const placed = (i, axes) => (i === 0 ? "left" : i === axes - 1 ? "right" : "center");

function option(plot, width) {
  const c = colours();
  const { lines } = plot;
  const room = width / Math.max(lines.axes.length, 1);
  const narrow = room < 62;
  return {
    animation: false,
    backgroundColor: "transparent",
    parallel: { left: 34, right: 52, top: narrow ? 96 : 52, bottom: 28, axisExpandable: false },
    parallelAxis: lines.axes.map((axis, i) => {
      const texts = new Map(axis.ticks);
      const ends = axis.ticks.map(([at]) => at);
      return {
        id: `axis-${i}`, dim: i, type: "value", min: axis.low ?? 0, max: axis.high ?? 1,
        name: cut(axis.label, narrow ? 90 : room - 6), nameRotate: narrow ? 60 : 0,
        nameTextStyle: { color: c.ink, fontSize: 12, align: narrow ? "left" : placed(i, lines.axes.length) }, nameGap: 16,
        axisLine: { lineStyle: { color: c.soft } }, axisTick: { show: false },
        axisLabel: {
          color: c.ink, fontSize: 11, hideOverlap: true, textBorderColor: c.paper, textBorderWidth: 3,
          ...(ends.length ? { customValues: narrow ? [ends[0], ends[ends.length - 1]] : ends, formatter: (at) => cut(texts.get(at) ?? number(at), Math.max(room - 8, 44)) } : { formatter: number, showMinLabel: false, showMaxLabel: false }),
        },
        areaSelectStyle: { width: 18, borderWidth: 1, borderColor: c.accent, color: c.accent, opacity: 0.25 },
      };
    }),
    series: c.shades.map((shade, level) => ({
      id: `level-${level}`, type: "parallel", lineStyle: { color: shade, width: 1, opacity: level === 4 ? 0.9 : 0.5 },
      inactiveOpacity: 0.04, activeOpacity: 0.9, progressive: 500, smooth: false, z: level, silent: true,
      data: lines.rows.filter((_, i) => shadeOf(lines.shade[i]) === level).map((row) => row.map((v) => (v === null ? "-" : v))),
    })),
  };
}

/** Call `changed(ident, label, low, high)` when an axis was brushed; null, null when the brush is gone. */
function onBrush(chart, plotOf, changed) {
  const last = new Map();
  chart.on("axisareaselected", (event) => {
    const plot = plotOf();
    for (const one of event.batch ?? [event]) {
      const axes = chart.getOption().parallelAxis;
      const place = axes.findIndex((axis) => axis.id === one.parallelAxisId || axis.name === one.parallelAxisId);
      const index = place >= 0 ? place : Number(/(\d+)$/.exec(String(one.parallelAxisId))?.[1] ?? -1);
      const name = plot.lines.names[index];
      if (name === undefined) continue;
      const span = one.intervals?.[0] ?? null;
      const key = span ? span.map((x) => x.toPrecision(4)).join() : "";
      if (last.get(name) === key) continue;
      last.set(name, key);
      changed(name, plot.lines.axes[index].label, span ? Math.min(...span) : null, span ? Math.max(...span) : null);
    }
  });
}

export { option, onBrush };
