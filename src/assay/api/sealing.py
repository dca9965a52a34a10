"""Setting the test rows apart before anything is fitted, and knowing them again later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4
from weakref import WeakKeyDictionary

import numpy as np

from assay.core.errors import SealError, StoreError
from assay.core.events import Sealed
from assay.core.jsonform import digest
from assay.core.protocols import Store
from assay.evaluation.fingerprint import row_hashes, sketch_to_text
from assay.evaluation.splits import hold_out
from assay.inputs.packing import pack, unpack
from assay.inputs.table import Table
from assay.math.sketches import containment, sketch
from assay.stores.envelope import now
from assay.stores.seals import Kind, Overlap, SealRegistry, message
from assay.stores.vault import FileVault, MemoryVault, Vault

_IN_MEMORY: WeakKeyDictionary[Store, MemoryVault] = WeakKeyDictionary()
_LEVELS = {FileVault: "vault file", MemoryVault: "handle in memory"}
_CHANCE = 0.05
"""Share of known rows beyond natural twins from which a test set counts as used before."""


def parted(table: Table, share: float, *, kind: str, seed: int) -> tuple[Table, Table]:
    """A table without a share of its rows, and these: the last in time, whole groups, or random ones.

    Args:
        kind: the task; each class is divided in this share.

    Raises:
        DataError: too few rows, groups or rows of a class.
    """
    kept, apart = hold_out(
        share,
        n=len(table),
        y=table.y if kind == "classification" else None,
        groups=table.groups,
        time=table.time,
        seed=seed,
    )
    return table.take(kept), table.take(apart)


@dataclass(frozen=True)
class Seal:
    """The event that seals the test rows. Its note names earlier uses of the same rows."""

    event: Sealed
    warning: str
    """Why earlier uses of these rows are not known; empty if they are."""


def vault_beside(store: Store) -> Vault:
    """The vault that belongs to a store: in the database, beside a file, or in memory like it."""
    own = getattr(store, "vault", None)
    if own is not None:
        made: Vault = own()
        return made
    path = getattr(store, "path", None)
    if path is not None:
        return FileVault(Path(f"{path}.vault"))
    return _IN_MEMORY.setdefault(store, MemoryVault())


def seal(study: str, dev: Table, test: Table, store: Store, *, reason: str = "") -> Seal:
    """Move the test rows into the vault and remember them for this user's later studies.

    Raises:
        SealError: rows of the test set were development rows of an earlier study, and no reason
            is given: a model may have been chosen on them.
    """
    seal_id = uuid4().hex[:16]
    registry, warning = SealRegistry.open()
    key = registry.key if registry else seal_id.encode()
    hashes: dict[Kind, Any] = {
        "test": row_hashes(test.columns(), key),
        "dev": row_hashes(dev.columns(), key),
    }
    small = {kind: sketch(found) for kind, found in hashes.items()}
    spent = ""
    if registry:
        try:
            spent = _used_before(registry, hashes, reason)
            for kind, found in hashes.items():
                registry.remember(seal_id, study, now(), len(found), small[kind], kind)
        except StoreError as error:
            warning = str(error)
    vault = vault_beside(store)
    sha256 = vault.put(seal_id, *pack(test))
    level = _LEVELS.get(type(vault), "vault in the database")
    event = Sealed(seal_id, len(test), level, sha256, digest(sketch_to_text(small["test"])), spent)
    return Seal(event, warning or "")


def sealed_rows(store: Store, event: Sealed) -> Table:
    """The test rows, checked against the log.

    Raises:
        SealError: the vault does not hold them.
        TamperError: they are not the rows that were sealed.
    """
    return unpack(*vault_beside(store).get(event.seal, event.sha256))


def count_look(seal_id: str, look: int) -> None:
    """Remember for later studies of this user that the rows were looked at."""
    registry, _ = SealRegistry.open()
    if registry is not None:
        with suppress(StoreError):  # it must not keep a result from being recorded
            registry.look(seal_id, look, now())


def _used_before(registry: SealRegistry, hashes: Mapping[Kind, Any], reason: str) -> str:
    """A sentence on earlier uses of the test rows; empty if there were none.

    Raises:
        SealError: a study was developed on them, and no reason is given.
    """
    tests, dev = hashes["test"], hashes["dev"]
    twins = containment(tests, np.unique(dev), k=len(dev) + 1)
    developed = _beyond_chance(registry.overlap(tests, "dev"), twins)
    if developed and not reason.strip():
        raise SealError(
            f"{message(developed[0])} With the seed of that study the same rows stay sealed; or say "
            "why it is right all the same (reason=…, --reason …): the result is then marked post-hoc."
        )
    spent = [o for o in _beyond_chance(registry.overlap(tests, "test"), twins) if o.looks]
    return message((spent or developed)[0]) if spent or developed else ""


def _beyond_chance(overlaps: Sequence[Overlap], twins: float) -> list[Overlap]:
    """Overlaps larger than the share of test rows that have a twin in their own development set."""
    return [overlap for overlap in overlaps if overlap.share > twins + _CHANCE]
