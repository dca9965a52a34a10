"""Sealed test sets in the database: whichever machine drives the study at its end can open its own."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from assay.stores import vault as files
from assay.stores.postgres.link import Link
from assay.stores.vault import Arrays, Content


class PostgresVault:
    """See `Vault`. The role of a worker can read none of it."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def __repr__(self) -> str:
        return f"PostgresVault({self._link.address.shown!r})"

    __reduce_ex__ = files.refuse_pickle

    def put(self, seal_id: str, arrays: Arrays, meta: Mapping[str, Any]) -> str:
        sha256, content = files.packed(seal_id, arrays, meta)
        ((there, void),) = self._link.call("vault_put", seal_id, sha256, content)
        if void:
            raise files.was_voided(seal_id)
        if there != sha256:
            raise files.is_taken(seal_id)
        return sha256

    def get(self, seal_id: str, sha256: str) -> Content:
        files.check_id(seal_id)
        rows = self._link.call("vault_get", seal_id)
        if not rows:
            raise files.missing(seal_id, self._link.address.shown)
        ((content, void),) = rows
        if void:
            raise files.was_voided(seal_id)
        return files.opened(
            io.BytesIO(content), sha256, f"{seal_id!r} in {self._link.address.shown}"
        )

    def void(self, seal_id: str) -> None:
        files.check_id(seal_id)
        ((found,),) = self._link.call("vault_void", seal_id)
        if not found:
            raise files.missing(seal_id, self._link.address.shown)
