"""One JSON text for one value: the form that is hashed, compared and stored."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from assay.core.errors import SpecError

_HALF = re.compile("[\ud800-\udfff]")


def canonical(value: Any) -> str:
    """JSON with sorted keys and no spaces; NaN and infinity are refused.

    >>> canonical({"b": 1, "a": [1.0, None]})
    '{"a":[1.0,null],"b":1}'
    """
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def digest(value: Any) -> str:
    """SHA-256 of the canonical JSON, as hex.

    Raises:
        SpecError: a text in it cannot be written.

    >>> digest({"a": 1})[:12]
    '015abd7f5cc5'
    """
    try:
        text = canonical(value).encode()
    except UnicodeEncodeError as error:
        near = error.object[max(error.start - 20, 0) : error.end]
        raise SpecError(
            f"A name or a choice holds bytes that are not UTF-8, or half of a surrogate pair, at the "
            f"end of {near!a}. Write it in UTF-8."
        ) from None
    return hashlib.sha256(text).hexdigest()


def whole(text: str) -> str:
    r"""A remark with U+FFFD for what cannot be written, such as a byte that was not UTF-8.

    >>> whole("out of memory \udcc3")
    'out of memory \ufffd'
    """
    return _HALF.sub("\ufffd", text)
