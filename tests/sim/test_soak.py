"""The soak finds nothing where nothing is wrong, and finds what is."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math

import numpy as np
import pytest

import patience
from pynq_ee import exits
from pynq_ee.bench.reliability import soak
from pynq_ee.data import datasets
from pynq_ee.driver import dma
from pynq_ee.errors import DeadlineError, DeviceError
from pynq_ee.network import fabric
from pynq_ee.prediction import Prediction
from pynq_ee.sim.faults import FAULTS

IMAGES = 400


class Progress:
    """What counts as tqdm does."""

    def __init__(self):
        self.count = 0

    def update(self, count):
        self.count += count


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(3).integers(0, 256, (50, 28, 28)).astype(np.uint8)


@pytest.fixture
def run(random_model, images, monkeypatch):
    """A run over random digits, on a network that lets some of them leave; with faults in most calls, but none slow."""
    monkeypatch.setattr(soak, "FAULT_SHARE", 0.8)
    monkeypatch.setattr(soak, "CALL_IMAGES", 40)
    monkeypatch.setattr(soak, "SESSION_IMAGES", 80)
    monkeypatch.setattr(soak, "DEADLINE_SECONDS", patience.seconds(0.05))
    monkeypatch.setattr(dma, "RESET_SECONDS", patience.seconds(0.05))
    model = random_model(seed=3)
    entropy = exits.entropy(fabric.first_exit(images, model)[1] * 2.0 ** model.logit_exponents[0])
    model = dataclasses.replace(model, thresholds=(float(np.median(entropy)),))
    made = soak.Soak(model, images, "numpy", seed=2)
    made.drawn = [name for name in made.drawn if FAULTS[name].error is not DeadlineError]
    return made


def test_nothing_is_wrong_lost_or_leaked_while_faults_come(run):
    progress = Progress()
    summary = run.run(IMAGES, math.inf, progress)
    assert (summary["wrong"], summary["violations"]) == (0, [])
    assert progress.count == summary["images"] >= IMAGES
    assert summary["sessions"] > soak.WARM_UP_SESSIONS and set(summary["growth"]) == set(summary["resources"])
    assert sum(each["injected"] for each in summary["faults"].values()) > 5
    assert sum(each["raised"] for each in summary["faults"].values()) > 0
    assert summary["retries"] >= sum(each["retried"] for each in summary["faults"].values()) > 0
    json.dumps(summary, allow_nan=False)
    assert "every promise is held" in soak.report(summary)


def test_the_time_ends_it(run):
    assert run.run(10**9, 0.5, Progress())["images"] < 10**6


def test_a_run_in_which_nothing_comes_back_any_more_ends_with_an_error(run, monkeypatch):
    answered = itertools.count()
    predictions = run._predictions

    def ceasing(*call):
        if next(answered) > 5:
            raise DeviceError("it does not answer")
        return predictions(*call)

    monkeypatch.setattr(run, "_predictions", ceasing)
    summary = run.run(10**9, math.inf, Progress())
    assert 0 < summary["images"] < 10**6
    assert f"{soak.FRUITLESS_CALLS} calls in a row brought no image" in " ".join(summary["violations"])


def test_a_run_without_an_image_proves_nothing(run):
    assert any("no image" in line for line in run.run(IMAGES, 0.0, Progress())["violations"])


def test_what_is_expected_is_what_the_exit_rule_says(run, images):
    taken = run.expected.exits
    assert np.mean(taken == 1) == 0.5
    entropy = exits.entropy(run.expected.logits)
    assert (entropy[taken == 1] < run.model.thresholds[0]).all()


def test_one_wrong_image_is_found(run, images):
    """By its label, by its exit, or by any of its logits."""
    wanted = run.expected
    rows = np.arange(len(images))
    right = {name: getattr(wanted, name) for name in ("labels", "exits", "logits")}

    def predicted(**spoiled):
        return Prediction(entropy=None, device="", seconds={}, fabric_clocks=0, **{**right, **spoiled})

    found = predicted()
    assert wanted.wrong(rows, found) == 0
    for name, values in right.items():
        spoiled = values.copy()
        spoiled[17] += 1
        assert wanted.wrong(rows, predicted(**{name: spoiled})) == 1
    assert wanted.wrong(rows[:-1], found) == len(rows), "more predictions than images"


def test_a_logit_that_nothing_notices_is_found(run):
    run.drawn, run.verify = ["result: flipped bit in a logit"], "none"
    run.faults = {**run.faults, run.drawn[0]: dataclasses.replace(run.faults[run.drawn[0]], error=None)}
    assert run.run(IMAGES, math.inf, Progress())["wrong"] > 0


def test_a_fault_that_is_not_raised_as_the_table_says_is_a_violation(run):
    name = "result stream: lost beat"
    run.drawn = [name]
    run.faults = {**FAULTS, name: FAULTS["kernel: hung"]}
    found = run.run(IMAGES, math.inf, Progress())["violations"]
    assert any("DeadlineError" in line and "is due" in line for line in found)


def test_growth_is_a_violation(run, monkeypatch):
    names, readings = ("file_handles", "memory_bytes", "threads"), itertools.count(1)
    monkeypatch.setattr(soak, "_resources", lambda: dict.fromkeys(names, next(readings) * soak.MEMORY_MARGIN_BYTES))
    found = run.run(IMAGES, math.inf, Progress())["violations"]
    assert [line for name in names for line in found if f"{name} grew" in line] == found[-3:]


@pytest.mark.parametrize(("wrong", "status"), [(0, 0), (1, 1)])
def test_the_program_says_so_by_its_exit_status_and_in_json(run, images, monkeypatch, capsys, wrong, status):
    run.tally.wrong = wrong
    monkeypatch.setattr(datasets, "available", lambda: datasets.Digits(images, np.zeros(len(images), int), "random"))
    monkeypatch.setattr(soak, "Soak", lambda *arguments: run)
    assert soak.main(["--images", "40", "--kernel", "numpy", "--json"]) == status
    assert json.loads(capsys.readouterr().out)["wrong"] == wrong


def test_no_images_are_refused(capsys):
    with pytest.raises(SystemExit):
        soak.main(["--images", "0"])
    assert "--images: 0 is out of range: it must be 1 or more" in capsys.readouterr().err
