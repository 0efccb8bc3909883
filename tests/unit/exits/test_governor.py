"""The governor holds a rate while difficulty drifts, and never exceeds its cap."""

from __future__ import annotations

import math
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pynq_ee.errors import InputError
from pynq_ee.exits import exit_of
from pynq_ee.exits.governor import Governor, hold, seconds_an_image

BATCH = 256
FIRST, LATER = 1e-6, 20e-6


class Stream:
    """A network whose time follows from its exits: images are their entropies, (n, exits - 1)."""

    def __init__(self, threshold: tuple[float, ...]) -> None:
        self.threshold = threshold

    def stream(self, images: Any, batch: int, beside: bool = False) -> Iterator[Any]:
        assert not beside, "the thresholds would be those of another batch"
        for entropies in images:
            taken = exit_of(entropies, self.threshold)
            seconds = FIRST + LATER * float((taken - 1).mean())
            yield SimpleNamespace(exits=taken, seconds_an_image=seconds)


def drift(batches: int, exits: int = 2, seed: int = 0) -> Iterator[np.ndarray]:
    """Easy images, then hard ones, then easy ones: entropies spread over decades, as those of real exits."""
    random = np.random.default_rng(seed)
    for number in range(3 * batches):
        hard = batches <= number < 2 * batches
        yield np.minimum(random.lognormal(-2.5 if hard else -4.5, 2.0, (BATCH, exits - 1)), math.log(10))


def run(network: Stream, batches: int = 60, exits: int = 2, **target: Any) -> list[Any]:
    return list(
        hold(network, drift(batches, exits), batch=BATCH, seconds_of=lambda each: each.seconds_an_image, **target)
    )


def settled(held: list[Any], target: float, within: float = 0.1) -> int:
    """Batches until the mean time of the next ten stays within a share of the target."""
    seconds = np.array([each.seconds for each in held])
    means = np.convolve(seconds, np.ones(10) / 10, "valid")
    return int(np.argmax(np.abs(means / target - 1) < within))


@pytest.mark.parametrize("exits", [2, 3])
def test_the_rate_is_held_before_during_and_after_a_hard_spell(exits: int) -> None:
    target = 4e-6
    held = run(Stream((2.0,) * (exits - 1)), exits=exits, mean_seconds=target)
    for part in range(3):
        spell = held[60 * part : 60 * (part + 1)]
        assert settled(spell, target) <= 25
        assert np.mean([each.seconds for each in spell[30:]]) == pytest.approx(target, rel=0.1)


def test_without_the_governor_the_hard_spell_is_slower() -> None:
    network = Stream((0.05,))
    seconds = [each.seconds_an_image for each in network.stream(drift(20), BATCH)]
    assert np.mean(seconds[20:40]) > 1.5 * np.mean(seconds[:20])


def test_the_thresholds_never_exceed_the_cap_and_it_is_said_when_the_rate_is_out_of_reach() -> None:
    cap = (0.01,)
    held = run(Stream((0.5,)), cap=cap, mean_seconds=1.01 * FIRST)
    assert all(each.thresholds[0] <= cap[0] for each in held)
    assert all(each.capped for each in held[-20:])
    assert np.mean([each.seconds for each in held]) > 2 * FIRST


def test_time_to_spare_is_spent_on_accuracy() -> None:
    held = run(Stream((0.5,)), mean_seconds=FIRST + LATER)
    assert held[-1].thresholds[0] < 0.01
    assert np.mean(held[-1].prediction.exits == 2) > 0.9


def test_the_cap_is_the_networks_own_threshold_unless_another_is_given_and_it_is_put_back() -> None:
    network = Stream((0.3,))
    held = run(network, images_per_second=1e5)
    assert held[0].thresholds == (0.3,)
    assert network.threshold == (0.3,)


def test_the_threshold_is_put_back_when_the_stream_is_left_early() -> None:
    network = Stream((0.3,))
    stream = hold(network, drift(10), batch=BATCH, mean_seconds=4e-6, seconds_of=lambda each: each.seconds_an_image)
    for _ in range(3):
        next(stream)
    assert network.threshold != (0.3,)
    stream.close()
    assert network.threshold == (0.3,)


def test_a_single_slow_batch_moves_the_thresholds_by_a_factor_of_two_at_most() -> None:
    governor = Governor(1e-6, (1.0,), factor=0.1)
    assert governor.observe(1.0) == (pytest.approx(0.2),)


def test_the_controller_recovers_from_its_lowest_factor() -> None:
    governor = Governor(1e-6, (1.0,))
    for _ in range(100):
        governor.observe(1e-9)
    steps = 0
    while not governor.capped:
        governor.observe(1e-5)
        steps += 1
    assert steps <= 10


@pytest.mark.parametrize("target", [{}, {"images_per_second": 1.0, "mean_seconds": 1.0}])
def test_one_target_is_asked_for(target: dict[str, float]) -> None:
    with pytest.raises(InputError, match="give one of images_per_second and mean_seconds"):
        run(Stream((0.3,)), **target)


@pytest.mark.parametrize("target", [{"images_per_second": 0.0}, {"mean_seconds": -1.0}, {"mean_seconds": math.nan}])
def test_a_target_out_of_range_is_refused(target: dict[str, float]) -> None:
    with pytest.raises(InputError, match="more than 0"):
        run(Stream((0.3,)), **target)


def test_a_simulated_fabrics_own_time_is_not_counted_and_that_of_a_board_or_of_software_is() -> None:
    seconds = {"input": 1e-6, "fabric": 50e-6, "entropy": 2e-6, "remainder": 3e-6}
    prediction = type("P", (), {"seconds": seconds, "fabric_clocks": 1000, "__len__": lambda self: 2})()
    assert seconds_an_image(prediction, simulated_mhz=100) == pytest.approx(5e-6)
    assert seconds_an_image(prediction) == pytest.approx(28e-6)
