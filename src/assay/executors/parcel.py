"""`evaluate`, packed by value to be loaded in another process."""

from __future__ import annotations

import io
import pickle
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib import import_module
from inspect import getclosurevars, isfunction, ismethod
from types import CodeType, ModuleType
from typing import IO, Any

import cloudpickle

from assay.core.errors import SpecError
from assay.core.jobs import Evaluate
from assay.executors.text import headline, short

_DEPTH = 6


def packed(evaluate: Evaluate) -> IO[bytes]:
    """An open, nameless file that holds `evaluate` as a pickle.

    A file, not bytes: large data goes through it without a second copy in this process's memory.

    Raises:
        SpecError: it cannot be pickled; names the part that cannot.
    """
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the caller keeps it
    try:
        _Pickler(file).dump(evaluate)
    except Exception as error:
        file.close()
        name, part = _culprit("objective", evaluate)
        raise SpecError(
            f"The objective cannot be sent to a worker process: {name} = {short(part)} cannot be"
            f" pickled ({headline(error)}). Create it inside the objective, or run with"
            f' isolation="none", which evaluates in this process.'
        ) from error
    file.flush()
    return file


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """The same for code and for modules that it does not know as such."""

    def reducer_override(self, obj: Any) -> Any:
        """How a part is taken apart; the superclass knows all others."""
        if isinstance(obj, CodeType):  # it may leave out the file, which a failed trial names
            make, parts = self.dispatch_table[CodeType](obj)
            return _code, (make, parts, obj.co_filename)
        if isinstance(obj, ModuleType) and _is_imported(obj):  # such as torch.backends.cudnn
            return import_module, (obj.__name__,)
        return super().reducer_override(obj)


def _code(make: Callable[..., CodeType], parts: tuple[Any, ...], file: str) -> CodeType:
    return make(*parts).replace(co_filename=file)


def _is_imported(module: ModuleType) -> bool:
    """Whether it is of a class of its own, and is found again by its name."""
    return type(module) is not ModuleType and sys.modules.get(module.__name__) is module


def _culprit(name: str, value: object) -> tuple[str, object]:
    """The innermost named part of a value that cannot be pickled."""
    for _ in range(_DEPTH):
        guilty = next((pair for pair in _parts(name, value) if not _can_be_sent(pair[1])), None)
        if guilty is None:
            break
        name, value = guilty
    return name, value


def _parts(name: str, value: Any) -> Iterator[tuple[str, object]]:
    if ismethod(value):
        yield f"{name}.__self__", value.__self__
    elif isfunction(value):
        outer = getclosurevars(value)
        yield from {**outer.nonlocals, **outer.globals}.items()
    elif isinstance(value, dict):
        yield from ((f"{name}[{short(key)}]", item) for key, item in value.items())
    elif isinstance(value, list | tuple):
        yield from ((f"{name}[{i}]", item) for i, item in enumerate(value))
    elif not _refuses(value):
        yield from ((f"{name}.{key}", item) for key, item in getattr(value, "__dict__", {}).items())


def _refuses(value: object) -> bool:
    """Whether it says by itself that it cannot be pickled, whatever it holds."""
    try:
        value.__reduce_ex__(pickle.HIGHEST_PROTOCOL)
    except Exception:
        return True
    return False


def _can_be_sent(value: object) -> bool:
    try:
        _Pickler(io.BytesIO()).dump(value)
    except Exception:
        return False
    return True
