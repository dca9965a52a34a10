"""The wheel, built and installed in an environment of its own with what it asks for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def call(*words, **more):
    done = subprocess.run(words, capture_output=True, text=True, timeout=900, **more)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_wheel_works_in_a_clean_environment(tmp_path):
    call(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(tmp_path), str(ROOT))
    (wheel,) = tmp_path.glob("assay-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "assay/py.typed" in names
    assert not [name for name in names if name.startswith(("tests/", "benchmarks/", "docs/"))]

    call(sys.executable, "-m", "venv", str(tmp_path / "venv"))
    python, assay = (str(tmp_path / "venv" / "bin" / name) for name in ("python", "assay"))
    call(python, "-m", "pip", "install", "-q", f"{wheel}[sklearn]")
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "ASSAY"))}
    here = {"cwd": tmp_path, "env": {**clean, "ASSAY_HOME": str(tmp_path / "home")}}

    found = {
        one["what"]: one["mark"] for one in json.loads(call(assay, "doctor", "--json", **here))
    }
    assert "problem" not in found.values()
    program = f"{python} -c 'import sys; print(\"loss:\", abs(float(sys.argv[1]) - 2))' {{x}}"
    words = ("run", "--command", program, "--param", "x=0.0..9.0 default=7.0", "--minimize", "loss")
    done = json.loads(call(assay, *words, "--trials", "5", "--json", **here))
    assert done["ended"] == 5
    code = "import assay.sklearn, sys; print(sys.modules['assay'].__file__)"
    assert str(tmp_path) in call(python, "-c", code, **here)
