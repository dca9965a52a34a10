"""Names that MLflow takes."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable

_LONGEST = 200  # bytes: MLflow takes 250 characters, and names of files end at 255 bytes
_MARK = 9


def mlflow_names(names: Iterable[str]) -> dict[str, str]:
    """A name that MLflow takes for each, that is no path, and that a file may have; no two alike.

    What MLflow forbids becomes "_". Where that would make two names one, those that changed get a
    mark, which depends on the name alone.

    >>> mlflow_names(["a/b", "c"])
    {'a/b': 'a_b', 'c': 'c'}
    >>> mlflow_names(["a/b", "a:b", "a_b"])
    {'a/b': 'a_b-c14cddc0', 'a:b': 'a_b-6783a31e', 'a_b': 'a_b'}
    """
    found = {name: _taken(name) for name in names}
    alike = Counter(found.values())
    return {
        name: key if alike[key] == 1 or key == name else _marked(key, name)
        for name, key in found.items()
    }


def _taken(name: str) -> str:
    key = re.sub(r"[^\w.\- ]", "_", name).strip(". ") or "_"
    return key if len(key.encode()) <= _LONGEST else _marked(key, name)


def _marked(key: str, name: str) -> str:
    short = key.encode()[: _LONGEST - _MARK].decode(errors="ignore")
    return f"{short}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
