"""What the environment of a checkout shows to tools that run no code of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from installations import ROOT

PROGRAM = """\
from pynq_ee import EarlyExitInference

reveal_type(EarlyExitInference.classify)
"""


def test_a_type_checker_outside_the_checkout_knows_the_types_of_the_package(tmp_path: Path) -> None:
    pytest.importorskip("mypy", reason="pip install 'pynq_ee[dev]'")
    environment = tmp_path / "environment"
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    made = subprocess.run(
        ["make", f"PYTHON={sys.executable}", f"VENV={environment}", f"{environment}/.checkout"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    options = ["--python-executable", str(environment / "bin/python"), "--follow-imports=silent"]
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", *options, str(program)], cwd=tmp_path, capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "-> pynq_ee.prediction.Prediction" in checked.stdout
