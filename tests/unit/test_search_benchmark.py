"""The harness of benchmarks/search: what it promises to be fair and repeatable."""

from __future__ import annotations

import json

import numpy as np
import pytest
from benchmarks.search import problems, references, results, run, summary
from benchmarks.search.params import Param, parents_first, pruned, sample
from benchmarks.search.tuners import TUNERS

SPACE = [
    Param("kind", "cat", choices=("a", "b")),
    Param("x", "float", 1e-3, 1.0, log=True),
    Param("n", "int", 1, 9, when=(("kind", ("b",)),)),
]


class Toy(problems.Problem):
    """A noisy problem; what was evaluated is kept."""

    noisy = True
    seen: list

    def __init__(self, name):
        super().__init__(name)
        self.space, self.objectives = SPACE, 2 if "+" in name else 1

    def losses(self, config, rng=None):
        loss = config["x"] + config.get("n", 0) + (rng.normal() if rng is not None else 0.0)
        if rng is not None:
            Toy.seen.append((self.name, config, loss))
        return [loss] * self.objectives


@pytest.fixture(autouse=True)
def toys(monkeypatch, tmp_path):
    monkeypatch.setattr(problems, "load", Toy)
    Toy.seen = []
    (tmp_path / "list.txt").write_text("# two\ntoy:one/1\ntoy:two/1  # the second\n")
    return tmp_path


def start(toys, *words, budget=6):
    given = ["--problems", toys / "list.txt", "--out", toys, "--budget", budget]
    run.main([*words, *map(str, given)])


# --- spaces


@pytest.mark.parametrize("param", [p for p in SPACE if p.kind != "cat"])
def test_units_and_values_agree(param):
    rng = np.random.default_rng(0)
    for value in (param.sample(rng) for _ in range(50)):
        assert param.low <= value <= param.high
        assert param.from_unit(param.to_unit(value)) == pytest.approx(value)


def test_only_active_parameters_are_in_a_config():
    rng = np.random.default_rng(0)
    for config in (sample(SPACE, rng) for _ in range(20)):
        assert ("n" in config) == (config["kind"] == "b")
        assert pruned(SPACE, {"n": 3, **config}) == config


def test_parents_come_first_and_circles_are_refused():
    assert parents_first(SPACE[::-1])[-1].name == "n"
    with pytest.raises(ValueError, match="circle"):
        parents_first(SPACE[2:])


# --- runs


def test_what_is_done_is_not_done_again(toys):
    start(toys, "random", "--seeds", "1")
    assert len(Toy.seen) == 12
    start(toys, "random", "--seeds", "1")
    assert len(Toy.seen) == 12
    start(toys, "random", "--seeds", "2")
    assert len(Toy.seen) == 24
    assert [(r["problem"], r["seed"]) for r in results.read(toys, "random")] == [
        ("toy:one/1", 0), ("toy:one/1", 1), ("toy:two/1", 0), ("toy:two/1", 1),
    ]  # fmt: skip


def test_a_run_with_more_trials_takes_the_place_of_a_shorter_one(toys):
    start(toys, "random", "--seeds", "1")
    start(toys, "random", "--seeds", "1", budget=9)
    assert [len(row["best"]) for row in results.read(toys, "random")] == [9, 9]
    start(toys, "random", "--seeds", "1")  # shorter ones are part of what is there
    assert [len(row["best"]) for row in results.read(toys, "random")] == [9, 9]


def test_a_failed_run_is_tried_again_and_hides_no_other(toys, monkeypatch, capsys):
    whole = Toy.losses
    monkeypatch.setattr(
        Toy, "losses", lambda self, *a: whole(self, *a) if "two" in self.name else 1 / 0
    )
    start(toys, "random", "--seeds", "1")
    assert "failed on toy:one/1" in capsys.readouterr().err
    monkeypatch.setattr(Toy, "losses", whole)
    start(toys, "random", "--seeds", "1")
    assert [r["problem"] for r in results.read(toys, "random")] == ["toy:one/1", "toy:two/1"]


def test_tuners_meet_the_same_noise_and_runs_repeat(toys):
    def noise(tuner):
        Toy.seen = []
        row = run.run(tuner, "toy:one/1", 3, 6, 60.0)
        found = [loss - c["x"] - c.get("n", 0) for _, c, loss in Toy.seen]
        return found, row["best"]

    ours, best = noise("assay-random")
    theirs, _ = noise("random")
    assert ours == pytest.approx(theirs)
    assert noise("assay-random") == (ours, best)


def test_the_incumbent_is_what_looked_best_and_is_judged_by_its_true_loss():
    row = run.run("random", "toy:one/1", 0, 6, 60.0)
    looked = [loss for _, _, loss in Toy.seen]
    best = [int(np.argmin(looked[: i + 1])) for i in range(6)]
    true = [c["x"] + c.get("n", 0) for _, c, _ in Toy.seen]
    assert row["best"] == pytest.approx([true[i] for i in best])


def test_a_run_without_time_is_cut_short():
    row = run.run("random", "toy:one/1", 0, 6, 0.0)
    assert row["truncated"]
    assert row["best"] == []


def test_a_tuner_for_one_objective_is_not_asked_for_two():
    assert run.run("hyperopt", "toy:one/a+b", 0, 6, 60.0) is None


# --- result files


def test_half_a_line_is_forgotten(tmp_path):
    results.append(tmp_path, "t", {"problem": "p", "seed": 0})
    with (tmp_path / "t.jsonl").open("a") as out:
        out.write('{"problem": "p", "se')
    assert [row["seed"] for row in results.read(tmp_path, "t")] == [0]
    results.append(tmp_path, "t", {"problem": "p", "seed": 1})
    assert [row["seed"] for row in results.read(tmp_path, "t")] == [0, 1]


def test_packed_results_are_equal_for_equal_runs(tmp_path):
    for order, folder in (((0, 1), tmp_path / "a"), ((1, 0), tmp_path / "b")):
        for seed in order:
            results.append(folder, "t", {"problem": "p", "seed": seed})
        results.pack(folder, "t")
    packed = [(tmp_path / f / "t.jsonl.gz").read_bytes() for f in "ab"]
    assert packed[0] == packed[1]
    assert results.tuners_in(tmp_path / "a") == ["t"]


# --- the summary


def rows_of(tuner, losses, seeds=3):
    return [
        {
            "problem": name, "family": name.split("/")[0], "tuner": tuner, "version": tuner,
            "seed": seed, "budget": 100, "best": [loss + seed] * 100,
            "ask_ms": [1.0] * 100, "tell_ms": [0.0] * 100,
        }
        for name, loss in losses.items() for seed in range(seeds)
    ]  # fmt: skip


@pytest.fixture
def known(monkeypatch, tmp_path):
    forms = {n: {"best": 0.0, "exact": False, "rs10": 10.0} for n in ("a/1", "a/2", "b/1")}
    (tmp_path / "references.json").write_text(json.dumps(forms))
    monkeypatch.setattr(summary, "HERE", tmp_path)


@pytest.mark.usefixtures("known")
def test_regret_is_scaled_capped_and_counts_what_a_run_beat():
    table = summary.Table(
        [*rows_of("t", {"a/1": 5.0, "a/2": 50.0, "b/1": -10.0}), *rows_of("u", {"a/1": 0.0})]
    )
    assert table.regret["t", 50]["a/1"] == pytest.approx({0: 0.5, 1: 0.6, 2: 0.7})
    assert set(table.regret["t", 50]["a/2"].values()) == {2.0}
    assert table.beaten == ["b/1"]
    assert table.regret["t", 50]["b/1"] == pytest.approx({0: 0.0, 1: 0.05, 2: 0.1})
    assert table.complete(100) == ["t"]
    assert table.complete(200) == []


@pytest.mark.usefixtures("known")
def test_the_page_compares_pairs_of_equal_seeds():
    mine = rows_of("assay-auto", {"a/1": 1.0, "a/2": 2.0, "b/1": 3.0})
    other = rows_of("u", {"a/1": 2.0, "a/2": 4.0, "b/1": 2.0}, seeds=1)
    page = summary.page([*mine, *other], "assay-auto")
    assert "| u | -0.067 [-0.20, +0.10] (2/1) |" in page  # seed 0 alone: -0.1, -0.2, +0.1
    assert "| u | 3 | 0.267" in page
    assert "| assay-auto | 1.50 [1.00, 2.00] |" in page  # over all seeds: equal, better, worse


def test_equal_regrets_share_a_rank():
    assert summary._rank(np.array([[1.0, 1.0, 0.0]])).tolist() == [[2.5, 2.5, 1.0]]


def test_an_interval_holds_the_mean_and_shrinks_with_agreement():
    rng = np.random.default_rng(0)
    spread = summary.interval([[0.0, 1.0], [4.0], [9.0, 9.0, 8.0]], rng)
    narrow = summary.interval([[4.0, 4.1], [4.05], [4.1]], rng)
    assert spread[0] < 4.39 < spread[1]
    assert np.ptp(narrow) < 0.1 < np.ptp(spread)


# --- problems


def test_every_problem_has_a_reference():
    names = problems.listed(problems.HERE / "dev.txt")
    forms = json.loads((problems.HERE / "references.json").read_text())
    assert len(names) == len(set(names)) == 27
    assert set(names) <= set(forms)
    assert all(form["best"] < form["rs10"] for form in forms.values())
    assert all(name.split(":")[0] in problems._KINDS for name in names)


def test_missing_data_says_what_to_do(monkeypatch):
    problems.data.cache_clear()
    monkeypatch.delenv("SEARCH_DATA", raising=False)
    with pytest.raises(FileNotFoundError, match="--data PATH"):
        problems.data()


def test_options_are_read_from_a_name():
    assert problems.options("bbob:f8/d5/noise0.5") == {"f": 8.0, "d": 5.0, "noise": 0.5}


@pytest.mark.parametrize(
    ("points", "volume"),
    [
        ([], 0.0),
        ([(0, 0)], 1.0),
        ([(0.5, 0), (0, 0.5)], 0.75),
        ([(0, 2)], 0.0),
        ([(0.5, 0.5)] * 2, 0.25),
    ],
)
def test_hypervolume(points, volume):
    assert problems.hypervolume(points, (1.0, 1.0)) == volume


def test_the_expected_least_of_draws():
    losses = np.sort(np.random.default_rng(0).random(30))
    drawn = np.random.default_rng(1).choice(losses, (20_000, 5)).min(axis=1)
    assert references.least_of(losses, 1) == pytest.approx(losses.mean())
    assert references.least_of(losses, 5) == pytest.approx(drawn.mean(), abs=0.005)


def test_names_of_tuners_are_file_names():
    assert all(name.replace("-", "").isalnum() for name in TUNERS)
