"""A shadow set: development rows that the search never uses, on which its incumbents are scored."""

from __future__ import annotations

from typing import Any

from assay.api.sealing import parted
from assay.core.errors import SpecError
from assay.core.rng import derived_seed
from assay.core.units import SHADOW
from assay.evaluation.fingerprint import fingerprint
from assay.inputs import Table


def wanted(share: float | None) -> bool:
    """Whether there is to be a shadow set of this share of the rows.

    Raises:
        SpecError: it is no share.
    """
    if share is None or (share == 0 and share is not False):
        return False
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share < 1:
        raise SpecError(f"shadow needs a share between 0 and 1, such as 0.1, got {share!r}.")
    return True


def set_apart(
    development: Table, share: float | None, *, kind: str, seed: int
) -> tuple[Table, Table | None]:
    """The rows of the search, and the shadow rows: divided as the test rows are.

    Args:
        share: of the development rows; None or 0: there is no shadow set.
        kind: the task.

    Raises:
        SpecError: not a share.
        DataError: too few rows, groups or rows of a class.
    """
    if not wanted(share):
        return development, None
    assert share is not None
    return parted(development, share, kind=kind, seed=derived_seed(seed, SHADOW))


def shadow_facts(shadow: Table | None) -> dict[str, Any]:
    """What the plan says of the shadow set: by their fingerprint `verify` and `resume` know the rows."""
    if shadow is None:
        return {}
    return {SHADOW: {"rows": len(shadow), "fingerprint": fingerprint(shadow.columns()).to_json()}}
