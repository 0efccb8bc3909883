"""``pynq-ee calibrate`` saves what it finds with the model; ``pynq-ee evaluate`` says what a model does."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest

import models
from pynq_ee import exits
from pynq_ee.commands import cli
from pynq_ee.data import datasets
from pynq_ee.data.datasets import Digits
from pynq_ee.network import fabric, weights


@pytest.fixture(autouse=True)
def digits(monkeypatch: pytest.MonkeyPatch) -> Digits:
    """Random digits whose labels are what the random model's first exit says, for four in five."""
    random = np.random.default_rng(1)
    images = random.integers(0, 256, (300, 28, 28)).astype(np.uint8)
    _, logits = fabric.first_exit(images, models.random_model())
    labels = np.where(random.random(300) < 0.8, logits.argmax(1), random.integers(0, 10, 300))
    few = Digits(images, labels.astype(np.int64), "noise")
    monkeypatch.setattr(datasets, "available", lambda: few)
    monkeypatch.setattr(datasets, "calibration", lambda: few)
    return few


def run(*options: str) -> int:
    return cli.main([options[0], "--device", "sim-numpy", *options[1:]])


def test_the_thresholds_are_saved_with_the_model_and_say_how_they_came_about(
    model_file: Path, capsys: pytest.CaptureFixture
) -> None:
    assert run("calibrate", "--model", str(model_file), "--min-early-share", "0.6", "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    saved = weights.load(model_file)
    assert list(saved.thresholds) == printed["thresholds"] != [0.5]
    assert saved.metadata["calibration"]["constraint"] == {"min_early_share": 0.6}
    assert saved.metadata["calibration"]["data"] == "noise"
    assert saved.build_id == models.random_model().build_id
    assert printed["outcome"]["early_share"] >= 0.6


def test_another_file_may_be_written_and_the_model_stays(model_file: Path, tmp_path: Path) -> None:
    before = model_file.read_bytes()
    output = tmp_path / "new" / "other.npz"
    assert run("calibrate", "--model", str(model_file), "--output", str(output)) == 0
    assert model_file.read_bytes() == before
    assert weights.load(output).metadata["calibration"]["constraint"] == {"min_early_share": 0.98}


@pytest.mark.parametrize(
    "options", [["--min-throughput", "1"], ["--max-mean-seconds", "1"], ["--max-loss-points", "50", "--measure"]]
)
def test_a_constraint_on_time_is_weighed_by_measured_costs(
    options: list[str], model_file: Path, capsys: pytest.CaptureFixture
) -> None:
    assert run("calibrate", "--model", str(model_file), *options, "--json") == 0
    costs = json.loads(capsys.readouterr().out)["costs"]
    assert costs["unit"] == "seconds" and "host measured, fabric modelled" in costs["source"]


def test_the_spread_of_a_measured_cost_is_told_and_a_busy_machine_warned_of(
    model_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    for load in (2.0, 2.1):
        monkeypatch.setattr(os, "getloadavg", lambda load=load: (load, 0.0, 0.0))
        assert run("calibrate", "--model", str(model_file), "--min-throughput", "1") == 0
        printed = capsys.readouterr()
        assert re.search(r"spread of the cost +[-+]\d+ % to [-+]\d+ % over the repetitions", printed.out)
        assert ("load average 2.1 on 4 cores" in printed.err) == (load > 2)
    assert run("calibrate", "--model", str(model_file)) == 0  # nothing is timed
    printed = capsys.readouterr()
    assert "spread of the cost" not in printed.out and "load average" not in printed.err


def test_the_risk_controlled_mode_says_what_it_rests_on(model_file: Path, capsys: pytest.CaptureFixture) -> None:
    assert run("calibrate", "--model", str(model_file), "--max-loss-points", "5", "--delta", "0.1") == 0
    printed = capsys.readouterr().out
    assert "risk-controlled" in printed and "p_value" in printed


@pytest.mark.parametrize(
    "options, message",
    [
        (["--max-loss-points", "0.1", "--delta", "0.1"], "300 images cannot vouch"),
        (["--min-throughput", "1e12"], "the nearest feasible one is"),
        (["--delta", "0.1"], "delta is for a bound on the loss"),
        (["--output", "thresholds.json"], "its name must end in .npz"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_is_saved(
    options: list[str], message: str, model_file: Path, capsys: pytest.CaptureFixture
) -> None:
    before = model_file.read_bytes()
    assert run("calibrate", "--model", str(model_file), *options) == 1
    assert message in capsys.readouterr().err
    assert model_file.read_bytes() == before


def test_a_picture_is_drawn(model_file: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="needs matplotlib: pip install 'pynq_ee[plot]'")
    assert run("calibrate", "--model", str(model_file), "--picture", str(tmp_path / "calibration.png")) == 0
    assert (tmp_path / "calibration.png").read_bytes().startswith(b"\x89PNG")


def test_an_evaluation_is_that_of_the_driver(model_file: Path, digits: Digits, capsys: pytest.CaptureFixture) -> None:
    assert run("evaluate", "--model", str(model_file), "--threshold", "1.5", "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    _, logits = fabric.first_exit(digits.images, models.random_model())
    real = logits * 2.0 ** models.random_model().logit_exponents[0]
    assert printed["exit_accuracy"][0] == pytest.approx(float(np.mean(logits.argmax(1) == digits.labels)))
    assert printed["shares"][0] == pytest.approx(float(np.mean(exits.entropy(real) < 1.5)))
    assert printed["images"] == 300 and "simulated" in printed["device"]


def test_every_shipped_model_is_a_row_of_the_markdown_table(
    monkeypatch: pytest.MonkeyPatch, model_file: Path, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(weights, "shipped_models", lambda: [str(model_file), str(model_file)])
    assert run("evaluate", "--all-models", "--images", "50") == 0
    lines = capsys.readouterr().out.strip().splitlines()
    assert len(lines) == 4
    assert len({line.count("|") for line in lines}) == 1
    assert "`lenet5-2exit`" in lines[2]
