"""Studies without a person: programs, ask and tell, JSON, and the Model Context Protocol."""

from __future__ import annotations

import io
import json
import re
import sys

import pytest

from assay.cli import mcp_server

SQUARE = f"{sys.executable} -c 'import sys; x = float(sys.argv[1]); print(\"loss:\", (x - 0.3) ** 2)' {{x}}"
PARAM = ("--param", "x=0.0..1.0 default=0.9")


def test_a_command_is_tuned_and_goes_on(run, tmp_path):
    db = str(tmp_path / "lab.db")
    call = (
        "run",
        "--command",
        SQUARE,
        *PARAM,
        "--minimize",
        "loss",
        "--trials",
        "6",
        "--storage",
        db,
    )
    done = run(*call, "--quiet", "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["objectives"] == {"loss": "minimize"}
    assert found["ended"] == 6
    assert found["control"] == {"x": 0.9}
    assert found["verdict"]["action"] == "USE_TUNED"
    again = run("resume", "--storage", db, "--quiet", "--json")
    assert json.loads(again.stdout) == found


def test_a_study_file_of_a_program(run, tmp_path):
    (tmp_path / "square.sh").write_text('echo "{\\"step\\": 0, \\"loss\\": 9}"; echo "loss: $1"\n')
    (tmp_path / "study.toml").write_text(
        'command = "sh square.sh {x}"\nminimize = "loss"\ntrials = 3\nevidence = false\n'
        '[space]\nx = "1..5 default=4"\n'
    )
    db = str(tmp_path / "lab.db")
    done = run("run", str(tmp_path / "study.toml"), "--storage", db, "--json")
    assert done.exit_code == 0, done.output
    rows = json.loads(run("trials", "--storage", db, "--format", "json").stdout)
    assert [row["values"]["loss"] for row in rows] == [row["config"]["x"] for row in rows]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("run",), "--command"),
        (("run", "--command", "true"), "--param"),
        (("run", "--command", "true {y}", *PARAM), "no parameter"),
        (("run", "--command", "true {x}", *PARAM, *PARAM), "'x' twice"),
        (("run", "--command", "true {x}", *PARAM, "--trials", "0"), "trials"),
        (("run", "--command", "true {x}", *PARAM, "--seconds", "0"), "seconds"),
        (("run", "--command", "true {x}", *PARAM, "--timeout", "0"), "seconds"),
        (("run", "--command", "true", "--param", "x=2..1"), "Swap them"),
        (("run", "a.toml", "--command", "true"), "not both"),
        (("tell", "lab", "0", "many"), "number"),
    ],
)
def test_a_mistake_is_named(run, tmp_path, words, says):
    done = run(*words, "--storage", str(tmp_path / "lab.db"))
    assert done.exit_code == 2
    assert says in done.output


def test_a_program_that_fails_with_its_defaults(run, tmp_path):
    db = str(tmp_path / "lab.db")
    done = run("run", "--command", "sh -c 'echo no luck >&2; exit 7'", *PARAM, "--storage", db)
    assert done.exit_code == 2
    assert "code 7" in done.output


def test_ask_and_tell(run, tmp_path):
    db = ("--storage", str(tmp_path / "lab.db"))
    made = json.loads(run("create", "lab", *PARAM, *db).stdout)
    assert made["control"] == {"x": 0.9}
    assert json.loads(run("create", "lab", *PARAM, *db).stdout)["plan"] == made["plan"]
    first = json.loads(run("ask", *db).stdout)
    assert (first["trial"], first["config"], first["origin"]) == (0, {"x": 0.9}, "control")
    run("tell", "lab", "0", "0.5", "--step", "1", *db)
    told = json.loads(run("tell", "lab", "0", '{"value": 0.25}', *db).stdout)
    assert told["best"]["values"] == [0.25]
    run("ask", *db)
    assert json.loads(run("tell", "lab", "1", "--failed", "no", *db).stdout)["state"] == "failed"
    assert json.loads(run("result", *db).stdout)["ended"] == 2
    assert json.loads(run("status", "--format", "json", *db).stdout)["studies"][0]["failed"] == 1


@pytest.mark.parametrize("value", ["-0.25", "-1e-3", "-7"])
def test_a_value_below_zero_is_no_option(run, tmp_path, value):
    db = ("--storage", str(tmp_path / "lab.db"))
    run("create", "lab", *PARAM, *db)
    run("ask", *db)
    run("tell", "lab", "0", value, "--step", "1", *db)
    told = run("tell", "lab", "0", value, *db)
    assert json.loads(told.stdout)["best"]["values"] == [float(value)]
    assert "--failed" in run("tell", "lab", "0", "--faild", "x", *db).stderr


def test_a_trial_whose_error_was_cut_in_the_middle_of_a_letter_fails_all_the_same(run, tmp_path):
    db = ("--storage", str(tmp_path / "lab.db"))
    run("create", "lab", *PARAM, *db)
    run("ask", *db)
    told = run("tell", "lab", "0", "--failed", "boom \udcc3", *db)
    assert json.loads(told.stdout)["failure"] == "boom \ufffd"
    assert run("note", "fa\udce7ade", *db).exit_code == 0


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("caf\udcc3", *PARAM), 3, "The name 'caf"),
        (("lab", "--param", "x\udcc3=0..1"), 2, "end of '.*x.udcc3'. Write it in UTF-8"),
        (("lab", "--param", "x=a|b\udcc3"), 2, "end of '.*b.udcc3'. Write it in UTF-8"),
        (("lab", *PARAM, "--minimize", "l\udcc3"), 2, "end of '.*l.udcc3'. Write it in UTF-8"),
    ],
)
def test_a_name_that_is_not_utf_8_is_refused_in_words(run, tmp_path, words, code, says):
    made = run("create", *words, "--storage", str(tmp_path / "lab.db"))
    assert made.exit_code == code
    assert re.search(says, made.stderr), made.stderr


def test_a_study_that_is_asked_goes_on_though_its_control_failed(run, tmp_path):
    db = ("--storage", str(tmp_path / "lab.db"))
    run("create", "lab", *PARAM, *db)
    phases = []
    for number, outcome in enumerate((("--failed", "no"), ("0.5",), ("0.25",))):
        run("ask", *db)
        run("tell", "lab", str(number), *outcome, *db)
        phases.append(json.loads(run("result", *db).stdout)["phase"])
    assert phases == ["control", "search", "search"]


def talk(storage, *messages):
    lines = io.StringIO(
        "".join(json.dumps(m) + "\n" if not isinstance(m, str) else m for m in messages)
    )
    out = io.StringIO()
    mcp_server.serve(str(storage), lines, out)
    return [json.loads(line) for line in out.getvalue().splitlines()]


def call(number, name, **arguments):
    return {
        "jsonrpc": "2.0", "id": number, "method": "tools/call",
        "params": {"name": name, "arguments": arguments},
    }  # fmt: skip


def test_a_model_tunes_by_the_protocol(tmp_path):
    answers = talk(
        tmp_path / "lab.db",
        {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "initialize",
            "params": {"protocolVersion": "2025-03-26"},
        },
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/list"},
        call(3, "create", study="lab", space={"x": "0.0..1.0 default=0.5"}),
        call(4, "ask"),
        call(5, "tell", trial=0, value=0.1),
        call(6, "status"),
        call(7, "verdict"),
    )
    assert [a["id"] for a in answers] == [1, 2, 3, 4, 5, 6, 7]
    assert answers[0]["result"]["protocolVersion"] == "2025-03-26"
    assert {tool["name"] for tool in answers[1]["result"]["tools"]} == set(mcp_server.TOOLS)
    assert answers[3]["result"]["structuredContent"]["config"] == {"x": 0.5}
    assert json.loads(answers[4]["result"]["content"][0]["text"])["best"]["values"] == [0.1]
    assert answers[6]["result"]["structuredContent"]["verdict"] is None


def test_no_tool_opens_a_test_set():
    assert not any(word in name for name in mcp_server.TOOLS for word in ("seal", "open", "test"))


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("not json\n", -32700),
        ("[" * 100_000 + "\n", -32700),
        ("[1]\n", -32600),
        ({"jsonrpc": "2.0", "id": 1, "method": "resources/list"}, -32601),
        ({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": [1]}, -32602),
        (call(1, "unseal"), -32602),
        (call(1, ["ask"]), -32602),
    ],
)
def test_a_wrong_message_gets_its_error_and_the_next_is_answered(tmp_path, message, code):
    answers = talk(tmp_path / "lab.db", message, {"jsonrpc": "2.0", "id": 9, "method": "ping"})
    assert answers[0]["error"]["code"] == code
    assert answers[1] == {"jsonrpc": "2.0", "id": 9, "result": {}}


@pytest.mark.parametrize(
    ("message", "says"),
    [
        (call(1, "create", study="lab", space={"x": "2..1"}), "low < high"),
        (call(1, "create", study="lab", space={"x": "1e-4-1"}), "one value"),
        (call(1, "create", study="lab", space={}), '{"lr": "1e-4..1 log default=0.1"'),
        (call(1, "create", study="lab", space=[1]), "by name"),
        (call(1, "trials", limit=0), "whole number >= 1"),
        (call(1, "ask", path="/etc/passwd"), "no argument 'path'. It takes study"),
        (call(1, "tell"), "'trial' is missing"),
        (call(1, "create", study="", space={"x": "0..1"}), "study needs a text that is not empty"),
        (call(1, "create", study=5, space={"x": "0..1"}), "study needs a text, got 5. Its name."),
        (
            call(1, "create", study="a", space={"x": "0..1"}, direction="min"),
            "'maximize', got 'min'",
        ),
        (call(1, "create", study="a", space={"x": "0..1"}, seed=True), "seed needs a whole number"),
        (call(1, "ask", study=["lab"]), 'study needs a text, got ["lab"]'),
        (call(1, "tell", trial="0", value=1), 'trial needs a whole number, got "0"'),
        (call(1, "tell", trial=0, value="1"), 'value needs a number or an object, got "1"'),
        (call(1, "report", trial=0, step=0.5, value=1), "step needs a whole number, got 0.5"),
        (call(1, "ask"), "There is no study yet. Begin one with the tool create."),
        (call(1, "verdict", study=None), "There is no study yet."),
    ],
)
def test_a_mistake_of_the_model_is_told_to_the_model(tmp_path, message, says):
    (answer,) = talk(tmp_path / "lab.db", message)
    assert answer["result"]["isError"] is True
    said = answer["result"]["content"][0]["text"]
    assert says in said
    assert "--param" not in said


def test_a_storage_that_cannot_be_read_is_told_and_does_not_end_the_server(tmp_path):
    (tmp_path / "lab.db").write_text("something else")
    asked, ping = talk(
        tmp_path / "lab.db", call(1, "ask"), {"jsonrpc": "2.0", "id": 2, "method": "ping"}
    )
    assert asked["result"]["isError"] is True
    assert "not a study file" in asked["result"]["content"][0]["text"]
    assert ping["result"] == {}


def test_a_second_study_of_a_name_says_what_is_different_and_what_to_do(tmp_path):
    space = {"lr": "1e-4..1 log default=0.1", "n": "1..9 default=3", "k": "a|b default=a"}
    other = {"lr": "1e-5..1 log default=0.1", "m": "1..9 default=3", "k": "a|b|c default=a"}
    first, again, spaces, aim = talk(
        tmp_path / "lab.db",
        call(1, "create", study="lab", space=space),
        call(2, "create", study="lab", space=space),
        call(3, "create", study="lab", space=other),
        call(4, "create", study="lab", space=space, direction="maximize", seed=2),
    )
    assert first["result"]["structuredContent"] == again["result"]["structuredContent"]
    assert spaces["result"]["content"][0]["text"] == (
        "A study of this name exists with another plan: the space (lr: low 0.0001 → 1e-05; "
        "n is gone; and 2 more). Use another name (--study NAME, in Python name=…), or the same plan to "
        "go on with it."
    )
    said = aim["result"]["content"][0]["text"]
    assert "the directions (value 'minimize' → 'maximize'), the seed (0 → 2)" in said


def test_a_model_is_told_what_became_of_its_trial(tmp_path):
    *_, told, twice, other, lacking, neither = talk(
        tmp_path / "lab.db",
        call(1, "create", study="lab", space={"x": "0..9"}),
        call(2, "ask"),
        call(3, "ask"),
        '{"jsonrpc": "2.0", "id": 4, "method": "tools/call", "params": '
        '{"name": "tell", "arguments": {"trial": 0, "value": NaN}}}\n',
        call(5, "tell", trial=0, value=1),
        call(6, "tell", trial=7, value=1),
        call(7, "tell", trial=1, value={"loss": 1}),
        call(8, "tell", trial=1),
    )
    said = told["result"]["structuredContent"]
    assert (said["state"], said["failure"]) == ("failed", "value is nan, not a finite number")
    texts = [one["result"]["content"][0]["text"] for one in (twice, other, lacking, neither)]
    assert texts == [
        "Trial 0 is already failed; it can no longer change.",
        "There is no trial 7; the study has 2, from 0 on.",
        "The values lack 'value'; got ['loss']. Give the number alone, or each of ['value'] by name.",
        "tell needs either a value or failed='…', got neither.",
    ]


def test_no_answer_holds_a_sealed_row(run, folder):
    """Every tool, with a column that would give a row away: test rows have labels of their own."""
    rows = [f"{n / 7:.6f},{n % 2},{7000 + n}.125" for n in range(120)]
    (folder / "marked.csv").write_text("\n".join(["a,b,y", *rows]) + "\n")
    db = str(folder / "lab.db")
    done = run(
        *("tune", "marked.csv", "--target", "y", "--model", "ridge", "--trials", "3", "--no-checks"),
        *("--keep-sealed", "--quiet", "--study", "sealed", "--splits", "kfold:3", "--storage", db),
        *("--evidence", "rechecks=6", "--evidence", "refits=1"),
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    asked = [
        call(1, "status"), call(2, "trials", study="sealed"), call(3, "verdict", study="sealed"),
        call(4, "ask", study="sealed"), call(5, "tell", study="sealed", trial=0, value=1.0),
        call(6, "report", study="sealed", trial=0, step=1, value=1.0),
        call(7, "create", study="sealed", space={"x": "0..1"}),
    ]  # fmt: skip
    answers = talk(db, *asked)
    assert {message["params"]["name"] for message in asked} == set(mcp_server.TOOLS)
    assert [a["id"] for a in answers if a["result"].get("isError")] == [4, 5, 6, 7]
    said = json.dumps(answers)
    assert "sealed" in said
    assert not any(row.rpartition(",")[2] in said for row in rows)
    assert run("result", "sealed", "--storage", db).stdout.count('"sealed"') == 2, "still closed"


def test_stopped_trials_are_among_the_ended(run, tmp_path):
    import assay
    from assay.cli.status import status_text

    def objective(trial):
        for step in range(1, 10):
            trial.report(step, trial.config["x"])
            if trial.should_stop():
                break
        return trial.config["x"]

    db = str(tmp_path / "lab.db")
    space = assay.Space(x=assay.Float(0, 1), fidelity=assay.Fidelity("steps", 1, 9))
    study = assay.optimize(
        objective, space, budget=20, scheduler="median", evidence=None, isolation="none",
        progress=False, storage=db, name="lab",
    )  # fmt: skip
    states = [trial.state for trial in study.trials]
    found = json.loads(run("result", "--storage", db).stdout)
    assert found["stopped"] == states.count("stopped") > 0
    assert found["ended"] == found["trials"] == len(states)
    assert repr(study) == f"<study 'lab': {len(states)} trials, {len(states)} ended>"
    assert f"{len(states)}, {found['stopped']} stopped" in " ".join(status_text(db, "lab").split())


def test_a_study_goes_to_optuna_and_comes_back(run, tmp_path):
    pytest.importorskip("optuna", minversion="5")
    db, url = ("--storage", str(tmp_path / "lab.db")), f"sqlite:///{tmp_path}/optuna.db"
    run("create", "lab", *PARAM, *db)
    for trial in range(3):
        run("ask", *db)
        run("tell", "lab", trial, trial / 10, *db)
    assert run("export", "--format", "optuna", "--to", url, *db).exit_code == 0
    refused = run("import", "optuna", url, "--study", "back", *db)
    assert refused.exit_code == 2
    assert "--allow-lossy" in refused.output
    done = run("import", "optuna", url, "--study", "back", "--allow-lossy", *db)
    assert done.exit_code == 0, done.output
    here, back = (
        json.loads(run("trials", name, "--format", "json", *db).stdout) for name in ("lab", "back")
    )
    assert [(t["config"], t["values"]) for t in here] == [(t["config"], t["values"]) for t in back]


def test_a_study_that_runs_by_its_own_plan_is_not_driven_by_hand(run, finished):
    refused = run("ask", "--storage", finished)
    assert refused.exit_code == 2
    assert "own plan" in refused.output
