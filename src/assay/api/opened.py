"""Open a study that a storage holds."""

from __future__ import annotations

from assay.api.stored import chosen_study, existing
from assay.api.study import Study
from assay.core.errors import SpecError
from assay.core.events import Created
from assay.core.protocols import Store
from assay.core.spec import StudySpec


def open_study(storage: str | Store, name: str | None = None, *, readonly: bool = False) -> Study:
    """An existing study.

    Args:
        storage: "sqlite:///lab.db", a file ending in .db, or a store.
        name: may be left out when the storage holds one study.

    Raises:
        StoreError: the storage cannot be used.
        SpecError: there is no such study.
    """
    store = existing(storage, readonly=readonly)
    (created,) = store.read(name := chosen_study(store, name), most=1)
    if not isinstance(created, Created):
        raise SpecError(f"The log of {name!r} does not begin with a plan; run `assay verify`.")
    return Study.of(StudySpec.from_json(created.spec), store, name)
