"""What every sampler promises, as tests; subclass `SamplerContract` to check your own."""

from __future__ import annotations

import copy
import json
import pickle
from dataclasses import fields, is_dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assay.core.errors import SpaceError
from assay.core.events import Asked, Event, Failed, Told
from assay.core.history import History, fold
from assay.core.jsonform import canonical
from assay.core.parameters import Choice, Constant, Float, Int, Ordinal, When
from assay.core.protocols import ExhaustedError, Proposal, Sampler
from assay.core.rng import stream
from assay.core.space import Space
from assay.testing.spaces import spaces

# the same inherited test runs for every sampler: that is the point
_settings = settings(
    max_examples=20,
    suppress_health_check=[HealthCheck.differing_executors, HealthCheck.too_slow],
)
SEEDS = st.integers(0, 2**32)

NESTED = Space(
    model=Choice(["linear", "tree", "net"]),
    depth=When("model", "tree", Int(1, 12)),
    optimizer=When("model", "net", Choice(["sgd", "adam"])),
    momentum=When("model", "net", When("optimizer", "sgd", Float(0.5, 0.99, logit=True))),
    layers=When("model", ["tree", "net"], Int(1, 3)),
)
FINITE = Space(
    model=Choice(["a", "b"]), size=Ordinal([1, 2, 4]), bins=When("model", "b", Int(1, 2))
)
CLAUSES = Space(
    low=Int(1, 8),
    high=Int(1, 8),
    kind=Choice(["x", "y"]),
    extra=When("kind", "y", Float(0, 1)),
    require="low <= high",
    forbid=["kind == 'x' and low == 1", lambda config: config["extra"] > 0.9],
)
WIDE = Space({f"x{i}": Float(0, 1) for i in range(60)})
CATEGORICAL = Space(a=Choice(["p", "q", "r"]), b=Choice([None, True, 1, 1.0, "1", [1], {"k": 1}]))


def propose(sampler: Sampler, space: Space, history: History, seed: int = 0) -> Proposal:
    """The proposal that a study with this seed would get for its next trial."""
    return sampler.ask(space, history, stream(seed, "trial", history.n_trials))


def grown(sampler: Sampler, space: Space, trials: int, seed: int = 0) -> History:
    """A history of so many proposals or until exhaustion: told, failed, and the last one running."""
    history = History()
    for number in range(trials):
        try:
            config, why = propose(sampler, space, history, seed)
        except ExhaustedError:
            break
        events: list[Event] = [Asked(number, config, history.length, "sampler", why)]
        if number % 5 == 3:
            events.append(Failed(number, "raised", "no"))
        elif number < trials - 1:
            events.append(Told(number, (number % 7 / 7.0,)))
        history = fold(events, history)
    return history


class SamplerContract:
    """The promises of a sampler; a subclass says how to make one, and what it can do.

        class TestMine(SamplerContract):
            def make(self, space):
                return MySampler()

    Attributes:
        never_repeats: whether it proposes each config of a finite space once, then says that it is
            exhausted.
    """

    never_repeats = False

    def make(self, space: Space) -> Sampler:
        """A sampler that works on `space`; equal for equal spaces."""
        raise NotImplementedError

    def refuses(self, space: Space) -> bool:
        """Whether it says with a SpaceError that it is not made for this space."""
        return False

    # --- configs

    @given(space=spaces(), seed=SEEDS)
    @_settings
    def test_configs_lie_in_the_space_and_are_allowed(self, space: Space, seed: int) -> None:
        self._check_configs(space, seed, trials=4)

    @given(space=spaces(finite=True), seed=SEEDS)
    @_settings
    def test_configs_of_finite_spaces_lie_in_them(self, space: Space, seed: int) -> None:
        self._check_configs(space, seed, trials=8)

    @pytest.mark.parametrize(
        "space",
        [
            pytest.param(NESTED, id="nested"),
            pytest.param(CLAUSES, id="clauses"),
            pytest.param(WIDE, id="60 dimensions"),
            pytest.param(CATEGORICAL, id="categorical"),
            pytest.param(Space(only=Float(1e-6, 1, log=True)), id="one parameter"),
            pytest.param(Space(only=Constant("gini")), id="one value"),
            pytest.param(Space({"forbid": Int(0, 3), "space": Int(0, 3)}), id="odd names"),
        ],
    )
    def test_configs_of_special_spaces_lie_in_them(self, space: Space) -> None:
        self._check_configs(space, seed=1, trials=30)

    def test_a_child_of_an_inactive_parent_is_inactive(self) -> None:
        if self.refuses(NESTED):
            return
        for trial in grown(self.make(NESTED), NESTED, 60).trials:
            assert list(trial.config) == NESTED.active(trial.config)
            if trial.config["model"] != "net":
                assert not {"optimizer", "momentum"} & trial.config.keys()

    def _check_configs(self, space: Space, seed: int, trials: int) -> None:
        if self.refuses(space):
            with pytest.raises(SpaceError):
                propose(self.make(space), space, History(), seed)
            return
        history = grown(self.make(space), space, trials, seed)
        assert history.n_trials > 0, "it proposes something at first"
        for trial in history.trials:
            assert space.contains(trial.config), f"{trial.config} is not in {space}"
            assert space.settle(trial.config) == trial.config, "values are stored as they are run"
            assert json.loads(canonical(trial.config)) == trial.config
            canonical(trial.why)  # has a JSON form

    # --- purity

    @given(space=spaces(), seed=SEEDS, trials=st.integers(0, 6))
    @_settings
    def test_equal_arguments_give_equal_proposals(
        self, space: Space, seed: int, trials: int
    ) -> None:
        if not self.refuses(space):
            self._check_purity(space, seed, trials)

    def _check_purity(self, space: Space, seed: int, trials: int) -> None:
        history = grown(self.make(space), space, trials, seed)
        again = grown(self.make(space), space, trials, seed)
        assert history == again
        before = copy.deepcopy(list(history.trials))
        assert self._said(space, history, seed) == self._said(space, again, seed)
        assert self._said(space, history, seed) == self._said(space, history, seed)
        assert list(history.trials) == before, "the history is not changed"

    def test_one_sampler_serves_several_studies(self) -> None:
        sampler = self.make(FINITE)
        alone = grown(sampler, FINITE, 6)
        first, second = History(), History()
        for number in range(alone.n_trials):
            for seed in (0, 1):
                history = first if seed == 0 else second
                asked = propose(sampler, FINITE, history, seed)
                event = Asked(number, asked.config, history.length, "sampler", asked.why)
                history = fold([event], history)
                first, second = (history, second) if seed == 0 else (first, history)
        assert len(first.trials) == len(second.trials) == alone.n_trials

    def test_the_global_generator_is_left_alone(self) -> None:
        import numpy as np

        before = np.random.get_state()[1].tolist()  # type: ignore[index]  # noqa: NPY002
        grown(self.make(FINITE), FINITE, 3)
        assert np.random.get_state()[1].tolist() == before  # type: ignore[index]  # noqa: NPY002

    def test_the_order_of_parameters_makes_no_difference(self) -> None:
        space = Space(b=Float(0, 1), a=Int(1, 50), c=Choice(["x", "y"]))
        other = Space(c=Choice(["x", "y"]), a=Int(1, 50), b=Float(0, 1))
        for number in range(5):
            history = grown(self.make(space), space, number)
            assert self._said(space, history, 0) == self._said(other, history, 0)

    def test_different_trials_get_different_configs(self) -> None:
        space = Space(x=Float(0, 1), y=Float(1e-3, 1, log=True))
        history = grown(self.make(space), space, 20)
        assert history.n_trials > 1
        assert len({canonical(trial.config) for trial in history.trials}) == history.n_trials

    def _said(self, space: Space, history: History, seed: int) -> Any:
        try:
            return propose(self.make(space), space, history, seed)
        except ExhaustedError as error:
            return str(error)

    # --- the end

    @given(space=spaces(finite=True), seed=SEEDS)
    @_settings
    def test_a_finite_space_is_exhausted_or_goes_on(self, space: Space, seed: int) -> None:
        if not self.refuses(space) and space.size <= 60:
            self._check_end(space, seed)

    def _check_end(self, space: Space, seed: int) -> None:
        allowed = _allowed(space)
        history = grown(self.make(space), space, len(allowed) + 3, seed)
        tried = [canonical(trial.config) for trial in history.trials]
        assert set(tried) <= allowed
        if self.never_repeats:
            assert sorted(tried) == sorted(allowed), "each config once"
            with pytest.raises(ExhaustedError, match=r"\w+ configs? .*tried"):
                propose(self.make(space), space, history, seed)

    # --- settings

    def test_settings_are_values(self) -> None:
        sampler = self.make(FINITE)
        assert is_dataclass(sampler), "a sampler is a frozen dataclass of its settings"
        assert type(sampler).__dataclass_params__.frozen
        assert sampler == self.make(FINITE)
        assert hash(sampler) == hash(self.make(FINITE))
        assert type(sampler).__name__ in repr(sampler)
        assert pickle.loads(pickle.dumps(sampler)) == sampler  # noqa: S301

    def test_settings_survive_json(self) -> None:
        sampler = self.make(FINITE)
        again = _remade(sampler)
        assert again == sampler
        for number in range(3):
            history = grown(sampler, FINITE, number)
            assert propose(again, FINITE, history) == propose(sampler, FINITE, history)


def _remade(sampler: Any) -> Any:
    """The sampler that JSON copies of its fields make; samplers inside it are made the same way."""
    made: dict[str, Any] = {}
    for field in fields(sampler):
        value = getattr(sampler, field.name)
        made[field.name] = _remade(value) if is_dataclass(value) else json.loads(json.dumps(value))
    return type(sampler)(**made)


def _allowed(space: Space) -> set[str]:
    block, found = space.combinations, set()
    for index in range(int(block.size)):
        config: dict[str, Any] = {}
        block.put(index, config)
        if space.allowed(config):
            found.add(canonical(config))
    return found
