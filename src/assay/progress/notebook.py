"""Progress in a notebook: one output that is shown anew, by the kernel's own messages.

Nothing is installed in the notebook and no script runs there. The output lies in the cell, so that it
is still there, and goes on, when a browser was closed and opened again.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from time import monotonic, process_time
from typing import Any, Self

from assay.core.history import History
from assay.core.spec import StudySpec
from assay.report.snippet import view_snippet
from assay.report.view import view_of

_EACH_S = 1.0
_SHARE = 0.05  # of a core at most goes into showing; on a busy machine the clock would say more


class NotebookProgress:
    """Shows the verdict card and the history of a study in a cell, at most once a second.

    Args:
        show: `show(html)` gives an output whose `update(html)` shows it anew.
    """

    def __init__(self, spec: StudySpec, show: Callable[[str], Any]) -> None:
        self._spec, self._show = spec, show
        self._output: Any = None
        self._next = 0.0
        self._latest: History | None = None
        self._shown = -1

    def __call__(self, history: History) -> None:
        self._latest = history
        if monotonic() >= self._next:
            first, began = self._output is None, process_time()
            self._draw(history)
            cost = 0.0 if first else process_time() - began  # the first loads what drawing needs
            self._next = monotonic() + max(_EACH_S, cost / _SHARE)

    def close(self) -> None:
        """Show the last state."""
        if self._latest is not None and self._latest.length != self._shown:
            self._draw(self._latest)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _draw(self, history: History) -> None:
        html = view_snippet(view_of("this study", self._spec, history))
        if self._output is None:
            self._output = self._show(html)
        else:
            self._output.update(html)
        self._shown = history.length


def shower() -> Callable[[str], Any] | None:
    """How to show HTML in the notebook whose kernel this process is; None if it is none."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None or not hasattr(shell, "kernel"):
        return None
    display = sys.modules.get("IPython.display")
    if display is None:
        return None

    def show(html: str) -> Any:
        handle = display.display(display.HTML(html), display_id=True)
        return _Output(handle, display.HTML)

    return show


class _Output:
    def __init__(self, handle: Any, form: Callable[[str], Any]) -> None:
        self._handle, self._form = handle, form

    def update(self, html: str) -> None:
        self._handle.update(self._form(html))
