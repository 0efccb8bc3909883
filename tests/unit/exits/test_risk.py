"""The risk-controlled thresholds keep their promise, at its rate."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from populations import population
from pynq_ee.errors import InputError
from pynq_ee.exits import calibration, risk
from pynq_ee.exits.scores import Scores, outcome


@pytest.mark.parametrize("exits", [2, 3])
@pytest.mark.parametrize("delta", [0.1, 0.3])
def test_the_bound_fails_in_at_most_delta_of_the_draws_of_a_calibration_set(exits: int, delta: float) -> None:
    everything = population(50_000, exits, seed=1)
    random = np.random.default_rng(2)
    bound, draws, failures, shares = 0.3, 200, 0, []
    for _ in range(draws):
        drawn = everything[random.integers(0, len(everything), 1500)]
        chosen = risk.controlled(drawn, max_loss_points=bound, delta=delta)
        failures += 100 * risk.harm(everything, chosen.thresholds).mean() > bound
        shares.append(outcome(drawn, chosen.thresholds).early_share)
    assert failures / draws <= delta + 3 * math.sqrt(delta * (1 - delta) / draws)
    assert np.mean(shares) > 0.2  # the promise is not kept by letting nobody leave


def test_the_empirical_optimum_makes_no_such_promise() -> None:
    everything = population(50_000, 2, seed=1)
    random = np.random.default_rng(2)
    failures = 0
    for _ in range(50):
        chosen = calibration.optimum(everything[random.integers(0, len(everything), 1500)], max_loss_points=0.3)
        failures += calibration.outcome(everything, chosen.thresholds).loss_points > 0.3
    assert failures > 10


@pytest.mark.parametrize("images, harmed, bound", [(5, 0, 0.1), (5, 3, 0.1), (40, 2, 0.05), (40, 40, 0.05)])
def test_the_p_value_is_the_exact_binomial_sum(images: int, harmed: int, bound: float) -> None:
    chance = Fraction(bound)
    exact = sum(math.comb(images, k) * chance**k * (1 - chance) ** (images - k) for k in range(harmed + 1))
    assert risk.p_value(harmed, images, bound) == pytest.approx(float(exact), rel=1e-12)


def test_the_p_value_of_a_large_set_does_not_underflow() -> None:
    assert risk.p_value(100_000, 200_000, 0.5) == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("bound, delta", [(0.1, 0.1), (0.05, 0.1), (1.0, 0.05), (0.5, 0.01)])
def test_the_smallest_set_is_the_first_that_can_vouch_for_the_bound(bound: float, delta: float) -> None:
    size = risk.smallest_set(bound, delta)
    assert risk.p_value(0, size, bound / 100) <= delta < risk.p_value(0, size - 1, bound / 100)
    assert risk.smallest_bound(size, delta) <= bound < risk.smallest_bound(size - 1, delta)


def test_a_set_too_small_for_delta_is_refused_with_the_size_and_the_bound_that_would_do() -> None:
    message = r"100 images cannot vouch .* at least 2302; .* smallest bound is 2\.28 points"
    with pytest.raises(InputError, match=message):
        risk.controlled(population(100, 2, seed=1), max_loss_points=0.1, delta=0.1)


def test_a_set_of_just_the_right_size_lets_images_leave_as_long_as_none_is_harmed() -> None:
    size = risk.smallest_set(1.0, 0.1)
    data = population(size, 2, seed=3)
    chosen = risk.controlled(data, max_loss_points=1.0, delta=0.1)
    assert chosen.harmed == 0
    assert outcome(data, chosen.thresholds).early_share > 0


def test_the_path_is_left_at_the_first_threshold_that_is_not_rejected_whatever_comes_behind_it() -> None:
    size = risk.smallest_set(1.0, 0.1)
    entropy = np.full((size, 2), 2.0)
    label = np.ones((size, 2), int)
    entropy[:3, 0] = 0.3, 0.5, 0.7
    label[1, 0] = 2  # one harmed image at 0.5 nats ends the path
    data = Scores(entropy, label, np.ones(size, int))
    chosen = risk.controlled(data, max_loss_points=1.0, delta=0.1)
    assert 0.3 < chosen.thresholds[0] <= 0.5
    assert outcome(data, chosen.thresholds).early_share == pytest.approx(1 / size)


def test_a_path_of_ones_own_is_followed() -> None:
    data = population(2000, 3, seed=4)
    path = np.array([[0.0, 0.0], [0.05, 0.02], [0.1, 0.04]])
    chosen = risk.controlled(data, max_loss_points=5, delta=0.1, path=path)
    assert chosen.thresholds == (0.1, 0.04)


@pytest.mark.parametrize("bound", [0.0, -1.0, 100.0, math.nan])
def test_a_bound_that_no_set_can_prove_is_refused(bound: float) -> None:
    with pytest.raises(InputError, match="must be more than 0 and less than 100"):
        risk.controlled(population(10, 2, seed=1), max_loss_points=bound)


@pytest.mark.parametrize("delta", [0.0, 1.0, math.nan])
def test_a_delta_outside_0_to_1_is_refused(delta: float) -> None:
    with pytest.raises(InputError, match="must lie between 0 and 1"):
        risk.controlled(population(10, 2, seed=1), max_loss_points=1, delta=delta)
