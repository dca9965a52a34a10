// The colours of the page, read from its style sheet, for what is drawn on a canvas.

const media = window.matchMedia("(prefers-color-scheme: dark)");
let known = null;

function colours() {
  if (known) return known;
  const style = getComputedStyle(document.documentElement);
  const named = (name) => style.getPropertyValue(`--${name}`).trim();
  const list = (name, count) => Array.from({ length: count }, (_, i) => named(`${name}-${i}`));
  known = {
    ink: named("ink"), soft: named("soft"), line: named("line"), accent: named("accent"),
    bad: named("bad"), quiet: named("quiet"), band: named("band"), paper: named("paper"),
    raised: named("raised"), shades: list("shade", 5), series: list("series", 8),
  };
  return known;
}

/** The colour of a role of a mark. */
function ofRole(role) {
  const c = colours();
  const found = {
    better: c.accent, worse: c.bad, unclear: c.soft, "inside-noise": c.quiet, control: c.ink,
    record: c.accent, luck: c.soft, band: c.band, failed: c.bad, front: c.accent,
    infeasible: c.bad, running: c.accent, seen: c.soft, marked: c.ink, bar: c.quiet,
    step: c.accent, done: c.quiet, quiet: c.ink, stopped: c.ink, paused: c.shades[1], early: c.quiet,
  }[role];
  if (found) return found;
  const series = /^series-(\d)$/.exec(role);
  return series ? c.series[Number(series[1])] : c.quiet;
}

function onChange(listener) {
  media.addEventListener("change", () => { known = null; listener(); });
}

export { colours, ofRole, onChange };
