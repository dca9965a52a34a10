"""Programs as objectives: arguments, output, files, failures."""

from __future__ import annotations

import json
import sys
import threading
import tomllib
from pathlib import Path
from time import monotonic, sleep
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import assay
from assay import Choice, Float, Int, Space, SpaceError, SpecError
from assay.engine.trial import Objective
from assay.executors.text import account
from assay.programs.command import Command, text_of, to_toml
from assay.programs.program import Program, ProgramError
from assay.programs.reading import Reading
from assay.programs.spec_words import parameter_in

json_values = st.recursive(
    st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)


@given(st.text())
def test_whatever_a_value_holds_it_stays_one_argument(value):
    words = Command("program --a {x} --b={x} 'c {x}'").words({"x": value})
    assert words == ["program", "--a", value, f"--b={value}", f"c {value}"]


@given(
    st.text().filter(
        lambda text: "\0" not in text and not any("\ud800" <= c <= "\udfff" for c in text)
    )
)
def test_in_a_shell_a_value_is_quoted(value):
    words = Command(f"{sys.executable} -c 'pass' {{x}}", shell=True).words({"x": value})
    assert words[:2] == ["sh", "-c"]
    import shlex

    assert shlex.split(words[2])[3:] == [value]


@given(st.dictionaries(st.text(max_size=8), json_values, max_size=4))
def test_a_config_in_toml_is_the_config(config):
    assert tomllib.loads(to_toml(config)) == config


def test_an_inactive_parameter_leaves_out_its_argument():
    command = Command("train --lr {lr} --depth {depth} --tag={tag} {depth}")
    assert command.words({"lr": 0.1}) == ["train", "--lr", "0.1"]


def test_braces_and_unknown_names():
    assert Command("awk '{{print {x}}}'").words({"x": 1}) == ["awk", "{print 1}"]
    with pytest.raises(SpecError, match="Did you mean 'lr'"):
        Command("train --lr {lrr}").check(["lr"])
    with pytest.raises(SpecError, match=r"\{lr without the closing brace"):
        Command("train --depth {depth} --lr {lr").check(["lr", "depth"])
    Command("train '{\"a\": [{{lr, {lr}]}'").check(["lr"])
    with pytest.raises(SpecError, match="nothing"):
        Command("  ")
    with pytest.raises(SpecError, match="quotation"):
        Command("train 'x")


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("loss: 0.5", 0.5),
        ("epoch 3, val_loss = 9, loss=1e-3, lr: 4", 1e-3),
        ('{"loss": 2, "note": "x"}', 2),
        ("loss : -3.5 (best)", -3.5),
        ("LOSS: 1", None),
        ("the loss was 3", None),
        ("loss: 1.2.3", None),
        ("loss: 1,000.5", None),
        ("loss: 0,25", None),
        ("loss: 0.25,acc: 0.5", 0.25),
        ("\x1b[1mloss\x1b[0m: \x1b[32;1m0.25\x1b[0m", 0.25),
        ('{"loss": "many"}', None),
        ('{"loss": true}', None),
        ("{loss: 3}", 3),
    ],
)
def test_numbers_are_found_in_lines(line, value):
    reading = Reading(["loss"])
    reading.line(line)
    assert reading.values.get("loss") == value


def test_steps_are_reported_as_they_are_printed():
    seen = []
    reading = Reading(["loss"], report=lambda step, value: seen.append((step, value)))
    for line in ('{"step": 1, "loss": 3}', '{"step": 2, "loss": 2, "acc": 0.1}', '{"loss": 1.5}'):
        reading.line(line)
    assert seen == [(1, 3.0), (2, 2.0)]
    assert reading.values == {"loss": 1.5, "acc": 0.1}
    by_pattern = Reading(["loss"], r"(?P<step>\d+)/9 (?P<loss>\S+)", lambda *s: seen.append(s))
    by_pattern.line("epoch 4/9 0.25")
    assert seen[-1] == (4, 0.25)


@pytest.mark.parametrize("pattern", ["(", "loss"])
def test_a_wrong_pattern_is_refused_before_anything_runs(pattern):
    with pytest.raises(SpecError, match="pattern"):
        Program("true", pattern=pattern)


def run(text, config=None, **given):
    seen = []
    trial = SimpleNamespace(
        number=7, config=config or {"x": 2}, seed=5, report=lambda *step: seen.append(step)
    )
    return Program(text, **given)(trial), seen


def python(code):
    return f"{sys.executable} -c '{code}' {{x}}"


def test_a_program_gets_its_config_in_every_way():
    names = "import json, os, sys, tomllib; e = os.environ; "
    same = (
        'a = json.loads(e["ASSAY_CONFIG"]); b = json.load(open(sys.argv[2])); '
        'c = tomllib.load(open(sys.argv[3], "rb")); '
        'print("value:", int(a == b == c == {{"x": 2}} and e["ASSAY_PARAM_X"] == sys.argv[1] == "2" '
        'and e["ASSAY_TRIAL"] == "7" and e["ASSAY_SEED"] == sys.argv[4] == "5"))'
    )
    found, _ = run(python(names + same) + " {config.json} {config.toml} {seed}")
    assert found == {"value": 1}


def test_a_shell_script_and_a_pipe():
    assert run("sh -c 'echo value: $ASSAY_PARAM_X'")[0] == {"value": 2}
    assert run("echo {x} | tr 2 3 | sed 's/^/value: /'", shell=True)[0] == {"value": 3}


def test_numbers_from_a_file(tmp_path):
    code = python(f'import json; json.dump({{{{"value": 4}}}}, open("{tmp_path}/out-7.json", "w"))')
    assert run(code, output=str(tmp_path / "out-{trial}.json"))[0] == {"value": 4}
    with pytest.raises(ProgramError, match="left no file"):  # that of the trial before is gone
        run("true", output=str(tmp_path / "out-{trial}.json"))


def test_a_program_ends_when_it_does_whatever_it_leaves_running():
    began = monotonic()
    found, _ = run("sh -c 'sleep 8 & echo value: 3'")
    assert found == {"value": 3}
    assert monotonic() - began < 7


def test_an_error_ends_the_program_and_whoever_listens_to_it():
    def report(step, value):
        raise RuntimeError("cut")

    trial = SimpleNamespace(number=0, config={"x": 1}, seed=0, report=report)
    with pytest.raises(RuntimeError, match="cut"):
        Program('yes \'{{"value": 1, "step": 1}}\'')(trial)
    until = monotonic() + 10
    while any("_listen" in thread.name for thread in threading.enumerate()):
        assert monotonic() < until, "a thread is left behind"
        sleep(0.01)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("sh -c 'exit 3'", "code 3"),
        ("sh -c 'kill -9 $$'", "signal 9"),
        ("no-such-program-anywhere", "No such file"),
        ("echo nothing", "did not print 'value'.*--minimize NAME"),
    ],
)
def test_a_program_that_fails_says_how(text, says):
    with pytest.raises(ProgramError, match=says):
        run(text)


@pytest.mark.parametrize(
    "command", ["no-such-program {x}", "./no-such-program {x}", "/etc/nowhere {x}"]
)
def test_a_program_that_is_not_there_is_said_before_a_study_begins(command, tmp_path):
    storage = str(tmp_path / "lab.db")
    with pytest.raises(SpecError, match=r"There is no program '.*' to start, looked for in"):
        assay.optimize(
            Program(command), Space(x=Float(0, 1, default=0.5)), storage=storage, budget=2
        )
    assert not Path(storage).exists()


def test_a_program_beside_the_study_is_found(tmp_path):
    script = tmp_path / "fit"
    script.write_text("#!/bin/sh\necho value: $1\n")
    script.chmod(0o755)
    Program("./fit {x}", directory=str(tmp_path)).check(["x"])
    Program("{interpreter} {x}").check(["x", "interpreter"])
    Program("no-such-program {x} | cat", shell=True).check(["x"])


def test_a_parameter_that_the_command_leaves_out_is_said():
    with pytest.warns(UserWarning, match=r"does not name {y}, {z}: .*\(ASSAY_PARAM_Y, …\)"):
        Program("echo {x}").check(["x", "y", "z"])
    for whole in (
        "echo {x} {y}",
        "echo {config.json} {x}",
        "echo",
    ):  # by arguments, file, environment
        Program(whole).check(["x", "y"])


def test_a_program_in_python_names_its_number():
    study = assay.optimize(
        Program("echo loss: {x}", metrics=["loss"]), Space(x=Float(0, 1, default=0.5)),
        budget=2, evidence=None, progress=False, isolation="none",
    )  # fmt: skip
    assert study.spec.directions == {"loss": "minimize"}
    assert study.trials[0].value == 0.5
    with pytest.raises(SpecError, match=r"names \{y\}, which is no parameter"):
        assay.optimize(Program("echo value: {y}"), Space(x=Float(0, 1)), budget=2)


def test_its_failure_is_a_sentence_without_lines_of_our_code():
    with pytest.raises(ProgramError) as failed:
        Program("false")(SimpleNamespace(number=0, config={}, seed=0, report=None))
    failed.value.__traceback__ = failed.value.__traceback__.tb_next  # as the worker sees it
    assert account(failed.value) == "ProgramError: the program ended with code 1: false"
    with pytest.raises(AttributeError) as failed:
        Objective(None, seeding=False)(None, None)
    failed.value.__traceback__ = failed.value.__traceback__.tb_next
    assert "trial.py" in account(failed.value)  # no sentence of ours: a bug, and where matters


@pytest.mark.parametrize("word", ["|", ">", "2>&1", "&&", ";", "||", "<", ">>", "&"])
def test_what_only_a_shell_understands_is_refused_without_one(word):
    with pytest.raises(SpecError, match="--shell"):
        Program(f"echo {{x}} {word} tee log")
    Program(f"echo {{x}} {word} tee log", shell=True)
    assert Command(f"echo {{x}} '{word}'").words({"x": 1}) == ["echo", "1", word]


def test_its_settings_make_it_again():
    program = Program("echo {x}", ["a", "b"], pattern="(.)")
    assert Program(**json.loads(json.dumps(program.to_json()))) == program


@pytest.mark.parametrize(
    ("text", "parameter"),
    [
        ("a=1..9", Int(1, 9)),
        ("a=1..64 log default=8", Int(1, 64, log=True, default=8)),
        ("a=0.5..1", Float(0.5, 1)),
        ("a=1..2 float", Float(1, 2)),
        ("a=1e-4..1e0 log", Float(1e-4, 1, log=True)),
        ("a=-1..1 step=0.5 float", Float(-1, 1, step=0.5)),
        ("a=x|y default=y", Choice(["x", "y"], default="y")),
        ("a=true|false|null", Choice([True, False, None])),
        ("a=s3://data|a-1,2", Choice(["s3://data", "a-1,2"])),
        ("a=plain", Choice(["plain"])),
    ],
)
def test_parameters_in_words(text, parameter):
    assert parameter_in(text) == ("a", parameter)


@pytest.mark.parametrize(
    "text",
    [
        "a",
        "=1..2",
        "a=",
        "a=2..1",
        "a=x..y",
        "a=1..2 lug",
        "a=x|y log",
        "a=1e-4-1",
        "a=0.1,1",
        "a=1:9",
    ],
)
def test_wrong_words_are_refused(text):
    with pytest.raises(SpaceError):
        parameter_in(text)


@pytest.mark.parametrize("text", ["a=0..1 default=0.5", "a=0..1 step=0.1"])
def test_real_numbers_in_a_whole_range_are_told_how_to_say_it(text):
    with pytest.raises(SpaceError, match=r"Write '0..1 float'"):
        parameter_in(text)


def test_text_is_itself_and_other_values_are_json():
    assert [text_of(v) for v in ("a b", None, 1e-07)] == ["a b", "null", "1e-07"]
