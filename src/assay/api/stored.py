"""What a storage holds: is there a file, and which study is meant?"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from assay.api.parts import sqlite_path, store_at
from assay.core.errors import SpecError, did_you_mean
from assay.core.protocols import Store


def existing(storage: str | Store, *, readonly: bool = True) -> Store:
    """A store that is there already: looking for a study makes no file.

    Raises:
        SpecError: there is no such file.
        StoreError: the storage cannot be used.
    """
    if isinstance(storage, str):
        path = sqlite_path(storage)
        if path is not None and not Path(path).exists():
            raise SpecError(
                f"There is no study file {path!r}. Name the storage that was used "
                "(storage=…, --storage …)."
            )
    return store_at(storage, readonly=readonly)


def top_level(names: Iterable[str]) -> list[str]:
    """The studies that are no variant of an ablation: those are named after it, "study/-scaler".

    >>> top_level(["lab", "lab/full", "lab/-scaler#2", "a/b"])
    ['lab', 'a/b']
    """
    known = list(names)
    there = set(known)
    return [name for name in known if name.partition("/")[0] not in there or "/" not in name]


def chosen_study(store: Store, name: str | None) -> str:
    """The name of a study in a store; None stands for the only one.

    Raises:
        SpecError: there is no such study, or several to choose from.
    """
    known = list(store.studies())
    own = top_level(known)
    if name is None and len(own) == 1:
        return own[0]
    if not known:
        raise SpecError(
            "The storage holds no study yet. `assay tune FILE --target COL` starts one."
        )
    if name is None:
        listed = ", ".join(map(repr, own))
        raise SpecError(f"Which study? The storage holds {len(own)}: {listed}. Give its name.")
    if name not in known:
        raise SpecError(f"There is no study {name!r}. {did_you_mean(name, known)}")
    return name
