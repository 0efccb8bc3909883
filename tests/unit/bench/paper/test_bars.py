"""What one core of the host is asked for: the command tells both rows, and fails where one is beyond its bar."""

from __future__ import annotations

import json

import numpy as np
import pytest

import models
from pynq_ee import EarlyExitInference
from pynq_ee.bench import machine, timing
from pynq_ee.bench.paper import bars
from pynq_ee.data.datasets import Digits
from pynq_ee.errors import InputError
from pynq_ee.exits import entropy


def row(batch: int, met: bool) -> bars.Row:
    """A row with recognizable content."""
    return bars.Row(batch, 14.0, (0.25, 0.125), 1.5 if batch == 1 else None, met)


@pytest.mark.parametrize("met", [True, False])
def test_the_command_tells_its_rows_and_fails_where_a_bar_is_missed(
    met: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bars, "singles", lambda *_: row(1, True))
    monkeypatch.setattr(bars, "large", lambda *_: row(1024, met))
    monkeypatch.setattr(machine, "describe", lambda: {"processor": "any", "python": "3"})
    monkeypatch.setattr(bars.datasets, "available", lambda: Digits(np.zeros((1, 28, 28), np.uint8), None, "none"))
    assert bars.main([]) == (0 if met else 1)
    said = capsys.readouterr()
    assert "| 1 | 14 | 0.250 | 0.125 | 1.50 | at least 1 times as fast |" in said.out
    assert "| 1024 | 14 | 0.250 | 0.125 |  | at most 0.35 us |" in said.out
    assert ("MISSED: batch 1024" in said.err) is not met
    bars.main(["--json"])
    assert [each["batch"] for each in json.loads(capsys.readouterr().out)["rows"]] == [1, 1024]


def test_a_large_batch_has_the_share_that_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bars, "LARGE", 50)
    images = np.random.default_rng(0).integers(0, 256, (200, 28, 28)).astype(np.uint8)
    with EarlyExitInference(models.random_model(4), device="software") as network:
        middle = float(np.median(entropy(network.all_exits(images))[:, 0]))
    model = models.random_model(4, thresholds=middle)
    measured = bars.large(model, images, 2)
    assert (measured.batch, measured.undecided) == (50, 1) and 0 < measured.microseconds[1] <= measured.microseconds[0]
    assert measured.met == (measured.microseconds[0] <= bars.MOST_MICROSECONDS)
    with pytest.raises(InputError, match="of 20 images serve; 50 are needed, 1 of which stay"):
        bars.large(model, images[:20], 2)


def test_singles_are_compared_with_the_rival(monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("onnxruntime", "onnx", "threadpoolctl"):
        pytest.importorskip(package, reason="pip install 'pynq_ee[bench]'")
    monkeypatch.setattr(bars, "SINGLES", 10)
    images = np.random.default_rng(0).integers(0, 256, (10, 28, 28)).astype(np.uint8)
    with timing.threads_limited(1):
        measured = bars.singles(models.random_model(4), images, 2)
    assert measured.batch == 1 and measured.ratio is not None and measured.ratio > 0
    assert measured.met == (measured.ratio >= bars.LEAST_RATIO)
