"""What the driver of a study can be asked for."""

from __future__ import annotations

from typing import get_args

from assay.core.errors import SpecError
from assay.core.events import Steered, Wish
from assay.core.jsonform import whole


def wished(wish: Wish, reason: str = "") -> Steered:
    """The event that asks for it.

    Raises:
        SpecError: no wish that is known.
    """
    if wish not in get_args(Wish):
        raise SpecError(f"steer needs 'pause', 'go on' or 'stop', got {wish!r:.80}.")
    return Steered(wish, whole(reason))
