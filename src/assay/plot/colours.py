"""The colours of roles, the same in matplotlib and plotly; those of the page's light theme."""

from __future__ import annotations

_ROLES = {
    "better": "#0b5f8a", "worse": "#a3361f", "unclear": "#585d63", "inside-noise": "#8a9097",
    "control": "#1d1f21", "record": "#0b5f8a", "luck": "#585d63", "band": "#e9e9e3",
    "failed": "#a3361f", "front": "#0b5f8a", "infeasible": "#a3361f", "running": "#0b5f8a",
    "stopped": "#1d1f21", "paused": "#9dbccb", "early": "#8a9097",
    "seen": "#585d63", "marked": "#1d1f21", "bar": "#8a9097", "step": "#0b5f8a",
    "series-0": "#0b5f8a", "series-1": "#b3531e", "series-2": "#3d7a32", "series-3": "#7b4fa3",
    "series-4": "#8a6d00", "series-5": "#a3365f", "series-6": "#3f6f75", "series-7": "#585d63",
}  # fmt: skip
LOW, HIGH = "#c6d3db", "#064a6e"


def colour(role: str) -> str:
    """The colour of a role; grey for one without."""
    return _ROLES.get(role, "#8a9097")


def inert(text: str) -> str:
    """A text that neither library reads as markup: `$` begins a formula in both, `<` a tag."""
    return text.replace("$", "＄").replace("<", "‹").replace(">", "›")
