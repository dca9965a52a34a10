"""One thread for small matrices: more of them cost time there, and change the last digits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController


@contextmanager
def one_thread() -> Iterator[None]:
    """Within it, BLAS uses one thread; after it, as many as before.

    Two threads on a busy machine of two cores made a proposal ten times dearer. And sums that are
    split differently round differently: a proposal could not be replayed with other settings.

    >>> with one_thread():
    ...     pass
    """
    with _controller().limit(limits=1, user_api="blas"):
        yield


@cache
def _controller() -> ThreadpoolController:
    import scipy.linalg  # noqa: F401 - with it comes the BLAS that is to be limited
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
