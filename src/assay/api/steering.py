"""What the driver of a study was last asked for."""

from __future__ import annotations

from assay.core.events import Steered, Wish
from assay.core.history import History


def steered(history: History) -> Wish | None:
    """The last wish; None if there was none, or it was to go on."""
    found: Steered | None = history.last(Steered)
    return None if found is None or found.wish == "go on" else found.wish
