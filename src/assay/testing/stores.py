"""What the contracts of stores and of boards have in common: a store, processes, a model of it."""

from __future__ import annotations

import multiprocessing
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from assay.core.protocols import Store


class Opens:
    """Says how a store is opened, and brings a new one."""

    def open(self, place: Path) -> Store:
        """A store in the folder `place`, which holds nothing else."""
        raise NotImplementedError

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        """A new store."""
        with closing(self.open(tmp_path)) as store:
            yield store


def in_processes(work: Callable[[str], None], names: Sequence[str]) -> list[int | None]:
    """The exit codes of forked processes: a test's own functions cannot be sent elsewhere."""
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=work, args=(name,)) for name in names]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # a fork beside threads; they are done
        for process in processes:
            process.start()
    for process in processes:
        process.join(60)
    return [process.exitcode for process in processes]


def behaves_like(
    model: type[RuleBasedStateMachine], examples: int, steps: int, **facts: object
) -> None:
    """Run a state machine with these attributes, the same way each time."""
    own = type("Model", (model,), facts)
    run_state_machine_as_test(
        own,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
