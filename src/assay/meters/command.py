"""A command that prints how many joules a meter has counted so far."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass

from assay.meters.readings import number_in

_WAIT_S = 5.0


@dataclass(frozen=True)
class Command:
    """Any meter with a command: a socket, a rack, a scheduler's account.

    Args:
        line: run by the shell at each reading; it prints one growing number of joules.
    """

    line: str

    @property
    def name(self) -> str:
        """What the log calls it."""
        return f"command: {self.line}"

    def joules(self) -> dict[str, float]:
        """What it printed; empty if it failed, took longer than five seconds, or printed no number."""
        try:
            done = subprocess.run(  # noqa: S602 - the user's own command, as they would type it
                self.line,
                shell=True,
                capture_output=True,
                timeout=_WAIT_S,
                check=True,
                stdin=subprocess.DEVNULL,
            )
        except (OSError, subprocess.SubprocessError):
            return {}
        value = number_in(done.stdout.decode("utf-8", "replace"))
        return {} if value is None else {"meter": value}

    def wraps(self) -> dict[str, float]:
        """It does not start again; if it does, that interval is missing."""
        return {}
