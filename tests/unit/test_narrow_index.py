"""Nothing depends on an index of 64 bits: a 32-bit ARM has one of 32, which NumPy's ``argmax`` gives there.

The narrow index is NumPy's own wherever this runs in a 32-bit userland; elsewhere it is put in its place.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import models
from pynq_ee import exits, remainder
from pynq_ee.bench.exit_rule import drift
from pynq_ee.bench.host import driver
from pynq_ee.exits import risk
from pynq_ee.exits.scores import Scores


class Narrow(np.ndarray):
    """An array whose ``argmax`` is an index of 32 bits."""

    def argmax(self, *arguments: Any, **options: Any) -> Any:
        return np.asarray(super().argmax(*arguments, **options)).astype(np.int32)


@pytest.fixture(autouse=True)
def narrow_index(monkeypatch: pytest.MonkeyPatch) -> None:
    def narrow(function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *arguments, **options: function(*arguments, **options).view(Narrow)

    def strict(name: str, position: int) -> Callable[..., Any]:
        function = getattr(np, name)

        def checked(*arguments: Any, **options: Any) -> Any:
            index = np.asarray(arguments[position])
            if not np.can_cast(index.dtype, np.intp, "safe"):
                raise TypeError(f"Cannot cast array data from {index.dtype} to {np.dtype(np.intp)} by the rule 'safe'")
            return function(*arguments, **options)

        return checked

    monkeypatch.setattr(np, "stack", narrow(np.stack))
    monkeypatch.setattr(np, "take", strict("take", 1))
    monkeypatch.setattr(np, "bincount", strict("bincount", 0))
    monkeypatch.setattr(np, "intp", np.int32)


def test_the_labels_of_the_numpy_engine_and_the_exits_are_int64() -> None:
    logits = np.random.default_rng(0).integers(-99, 99, (7, 10)).astype(np.int16).view(Narrow)
    assert logits.argmax(1).dtype == np.int32
    decision = remainder.decider("numpy", -3)(logits, 0.5)
    assert decision.labels.dtype == np.int64
    assert exits.exit_of(np.full((7, 2), 0.3), (0.1, 0.5)).dtype == np.int64


def test_exits_are_counted() -> None:
    taken = np.array([1, 1, 2, 3], np.int64)
    assert exits.shares(taken, 4).tolist() == [0.5, 0.25, 0.25, 0.0]
    assert driver.summary([(taken, taken)], taken, 4)["shares"] == [0.5, 0.25, 0.25, 0.0]


def test_scores_have_an_outcome_and_a_bound() -> None:
    logits = np.random.default_rng(0).normal(size=(400, 2, 10)) * 5
    scores = Scores.of(logits, logits[:, 1].argmax(-1))
    assert sum(exits.outcome(scores, (0.5,)).shares) == pytest.approx(1)
    assert risk.controlled(scores, max_loss_points=90, delta=0.1).thresholds[0] >= 0


def test_the_governor_is_traced_on_a_stream_that_drifts(monkeypatch: pytest.MonkeyPatch) -> None:
    prediction = types.SimpleNamespace(exits=np.array([1, 2, 2], np.int64), seconds={})
    held = types.SimpleNamespace(seconds=0.0, thresholds=(0.5,), prediction=prediction, capped=False)

    def hold(network: Any, images: Any, seconds_of: Callable[[Any], float], **options: Any) -> list[Any]:
        held.seconds = seconds_of(prediction)
        return [held] * (len(drift.SPELLS) * 60)

    monkeypatch.setattr(drift.governor, "hold", hold)
    network = types.SimpleNamespace(
        stream=lambda images, batch: [prediction],
        device=types.SimpleNamespace(name="none"),
        threshold=(0.5,),
        model=models.random_model(),
    )
    found = drift.trace(network, np.zeros((4, 28, 28), np.uint8), (1.0, 4.0))
    assert found["ungoverned_seconds"] == [3.0] and found["seconds"][0] == 3.0
