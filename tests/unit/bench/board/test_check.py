"""The model beside what is measured: everything that is measured is predicted, and what is outside is told."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from pynq_ee.bench.board import check, counts, machines, model
from pynq_ee.bench.board.check import Row
from pynq_ee.bench.board.model import BEST, USUAL, WORST
from pynq_ee.data import datasets
from pynq_ee.errors import ToolError
from pynq_ee.network import weights

native = pytest.importorskip("pynq_ee.remainder.native", reason="no compiler at installation")


@pytest.mark.skipif(check.INSTRUCTION_SET not in native.INSTRUCTION_SETS, reason="AVX2 is compared")
def test_whatever_is_measured_here_is_predicted(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a board's counts instead of this machine's: whether they are right is no matter of a test."""
    monkeypatch.setattr(check, "ROUNDS", 1)
    rows = check.compare(counts.read("armv7"), weights.load(weights.DEFAULT), datasets.available().images)
    assert len(rows) == 4 + len(check.BATCHES)
    for row in rows:
        assert 0 < row.best < row.usual < row.worst
        assert row.measured > 0


def test_the_prediction_is_that_of_the_model() -> None:
    counted = counts.read("armv7")
    for when in (BEST, USUAL, WORST):
        constants = model.at(machines.X86_SERVER, when)
        predicted = check.predict("remainder of those that stay, 14 images", counted, machines.X86_SERVER, when)
        assert predicted == model.native_seconds(counted.native["remainder"], constants)
        one = check.predict("host's work for the fabric, 1 images", counted, machines.X86_SERVER, when)
        assert one > model.python_seconds(counted.interpreter(1), constants)


def test_a_measurement_outside_of_the_range_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [Row("what fits", 2, 1, 3, 2.5), Row("what does not", 2, 1, 3, 3.5)]
    monkeypatch.setattr(check, "count_here", lambda network: counts.read("armv7"))
    monkeypatch.setattr(check, "compare", lambda *arguments: rows)
    assert check.main([]) == 1
    printed = capsys.readouterr()
    assert "| what fits | 2.000 | 1.000 | 3.000 | 2.500 | yes |" in printed.out
    assert "| what does not | 2.000 | 1.000 | 3.000 | 3.500 | NO |" in printed.out
    assert printed.err.endswith("OUTSIDE THE RANGE: what does not\n")
    monkeypatch.setattr(check, "compare", lambda *arguments: rows[:1])
    assert check.main([]) == 0


def test_a_batch_has_as_many_images_that_stay_as_it_is_told() -> None:
    stays = np.arange(10) % 3 == 0
    rows = check._mixed(stays, 5, 2)
    assert len(rows) == 5 and stays[rows].sum() == 2
    with pytest.raises(ToolError, match="of 10 images 4 stay; 8 with 1 that stay are needed"):
        check._mixed(stays, 8, 1)


def test_a_count_that_fails_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(check, "_ROOT", tmp_path)
    with pytest.raises(ToolError, match=rf"{sys.executable} -m arm.here failed .*No module named"):
        check.count_here(weights.load(weights.DEFAULT))
