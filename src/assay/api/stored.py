"""What a storage holds: is there a file, and which study is meant?"""

from __future__ import annotations

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


def chosen_study(store: Store, name: str | None) -> str:
    """The name of a study in a store; None stands for the only one.

    Raises:
        SpecError: there is no such study, or several to choose from.
    """
    known = list(store.studies())
    if name is None and len(known) == 1:
        return known[0]
    if not known:
        raise SpecError(
            "The storage holds no study yet. `assay tune FILE --target COL` starts one."
        )
    if name is None:
        listed = ", ".join(map(repr, known))
        raise SpecError(f"Which study? The storage holds {len(known)}: {listed}. Give its name.")
    if name not in known:
        raise SpecError(f"There is no study {name!r}. {did_you_mean(name, known)}")
    return name
