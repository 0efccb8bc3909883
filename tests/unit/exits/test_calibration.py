"""The threshold search is exact, and says what is wrong with what it cannot use."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pynq_ee.errors import InputError
from pynq_ee.exits import calibration
from pynq_ee.exits.calibration import Scores
from pynq_ee.exits.costs import Costs


def scores(entropy: list, right: list) -> Scores:
    """Scores of images whose truth is 3, where a right label is 3 and a wrong one is 4."""
    return Scores(np.array(entropy, float), np.where(np.array(right, bool), 3, 4), np.full(len(entropy), 3))


@st.composite
def small_scores(draw: st.DrawFn) -> Scores:
    """A few images, two to four exits, and entropies from a handful of values, so that ties are common."""
    images, exits = draw(st.integers(1, 7)), draw(st.integers(2, 4))
    cell = st.tuples(st.sampled_from([0.0, 0.1, 0.2, 0.7, math.log(10)]), st.booleans())
    cells = draw(st.lists(st.lists(cell, min_size=exits, max_size=exits), min_size=images, max_size=images))
    return scores([[c[0] for c in row] for row in cells], [[c[1] for c in row] for row in cells])


def every_outcome(given_scores: Scores) -> list[calibration.Outcome]:
    """The outcomes of every threshold vector that differs: by brute force."""
    places = [0.0, *(np.unique(given_scores.entropy) + 1e-9)]
    vectors = itertools.product(places, repeat=given_scores.exits - 1)
    return [calibration.outcome(given_scores, vector) for vector in vectors]


@settings(deadline=None, max_examples=100)
@given(small_scores(), st.lists(st.integers(0, 4), min_size=4, max_size=4))
def test_the_front_is_the_one_that_brute_force_finds(given_scores: Scores, stage_costs: list[int]) -> None:
    costs = Costs(tuple(map(float, stage_costs[: given_scores.exits])))
    points = {(round(costs.mean(each.shares), 9), each.accuracy) for each in every_outcome(given_scores)}
    best = [point for point in points if not any(o != point and o[0] <= point[0] and o[1] >= point[1] for o in points)]
    found = calibration.front(given_scores, costs)
    assert np.array(sorted(zip(found.cost, found.accuracy))) == pytest.approx(np.array(sorted(best)))


@settings(deadline=None, max_examples=100)
@given(small_scores())
def test_every_threshold_of_the_front_gives_the_cost_and_the_accuracy_beside_it(given_scores: Scores) -> None:
    costs = Costs(tuple(1.0 + n for n in range(given_scores.exits)))
    found = calibration.front(given_scores, costs)
    for thresholds, accuracy, cost in zip(found.thresholds, found.accuracy, found.cost):
        result = calibration.outcome(given_scores, tuple(thresholds))
        assert result.accuracy == pytest.approx(accuracy)
        assert costs.mean(result.shares) == pytest.approx(cost)


@settings(deadline=None, max_examples=100)
@given(small_scores(), st.sampled_from([0.0, 10.0, 20.0, 50.0, 100.0]))
def test_the_optimum_under_a_loss_is_the_cheapest_that_keeps_it(given_scores: Scores, loss: float) -> None:
    chosen = calibration.optimum(given_scores, max_loss_points=loss)
    costs = Costs.counted(given_scores.exits)
    feasible = [each for each in every_outcome(given_scores) if each.loss_points <= loss + 1e-9]
    assert chosen.outcome.loss_points <= loss + 1e-9
    assert chosen.mean_cost == pytest.approx(min(costs.mean(each.shares) for each in feasible))


@settings(deadline=None, max_examples=100)
@given(small_scores(), st.floats(1.0, 6.0))
def test_the_optimum_under_a_time_is_the_most_accurate_that_keeps_it(given_scores: Scores, limit: float) -> None:
    costs = Costs((1.0,) * given_scores.exits)
    chosen = calibration.optimum(given_scores, costs, max_mean_seconds=limit)
    feasible = [each for each in every_outcome(given_scores) if costs.mean(each.shares) <= limit + 1e-9]
    assert chosen.mean_cost <= limit + 1e-9
    assert chosen.outcome.accuracy == pytest.approx(max(each.accuracy for each in feasible))


def test_the_threshold_stands_half_way_between_the_last_image_that_leaves_and_the_first_that_stays() -> None:
    data = scores([[0.1, 0.0], [0.2, 0.0], [0.6, 0.0]], [[1, 1], [1, 1], [0, 1]])
    assert calibration.optimum(data, max_loss_points=0).thresholds == (pytest.approx(0.4),)


def test_images_of_equal_entropy_leave_together_or_not_at_all() -> None:
    data = scores([[0.1, 0.0], [0.2, 0.0], [0.2, 0.0]], [[1, 1], [1, 1], [0, 1]])
    chosen = calibration.optimum(data, max_loss_points=0)
    assert chosen.outcome.shares[0] == pytest.approx(1 / 3)
    assert 0.1 < chosen.thresholds[0] <= 0.2


def test_neighbouring_floats_are_still_told_apart() -> None:
    low = 0.3
    data = scores([[low, 0.0], [math.nextafter(low, 1), 0.0]], [[1, 1], [0, 1]])
    assert calibration.optimum(data, max_loss_points=0).outcome.shares == (0.5, 0.5)


def test_no_image_leaves_where_the_surest_one_is_wrong_and_no_loss_is_allowed() -> None:
    data = scores([[0.0, 0.0], [0.2, 0.0]], [[0, 1], [1, 1]])
    assert calibration.optimum(data, max_loss_points=0).thresholds == (0.0,)


def test_every_image_leaves_where_the_first_exit_is_always_right_even_at_the_largest_entropy() -> None:
    data = scores([[math.log(10), 0.0]], [[1, 0]])
    assert calibration.optimum(data, max_loss_points=0).outcome.shares == (1.0, 0.0)


def test_more_accuracy_is_taken_where_the_overlapped_fabric_is_the_slower_one() -> None:
    data = scores([[0.1, 0.0], [0.2, 0.0], [0.6, 0.0], [0.7, 0.0]], [[1, 1], [1, 1], [1, 1], [0, 1]])
    slow_fabric = Costs((0.1, 1.0), overlapped=2.0)
    assert calibration.optimum(data, slow_fabric, max_loss_points=50).outcome.loss_points == 0
    assert calibration.optimum(data, Costs((0.1, 1.0)), max_loss_points=50).outcome.loss_points == 25


@given(small_scores(), st.sampled_from([0.0, 0.3, 0.5, 0.9, 1.0]))
def test_the_optimum_under_an_early_share_is_the_most_accurate_of_the_front_that_keeps_it(
    given_scores: Scores, share: float
) -> None:
    chosen = calibration.optimum(given_scores, min_early_share=share).outcome
    found = calibration.front(given_scores, Costs.counted(given_scores.exits))
    outcomes = [calibration.outcome(given_scores, tuple(vector)) for vector in found.thresholds]
    assert chosen.early_share >= share - 1e-9
    assert chosen.accuracy == max(each.accuracy for each in outcomes if each.early_share >= share - 1e-9)


def test_with_two_exits_the_optimum_under_an_early_share_is_that_of_every_threshold() -> None:
    data = scores([[0.1, 0.0], [0.2, 0.0], [0.6, 0.0], [0.7, 0.0]], [[1, 1], [0, 1], [1, 0], [0, 1]])
    chosen = calibration.optimum(data, min_early_share=0.5)
    best = max(each.accuracy for each in every_outcome(data) if each.early_share >= 0.5)
    assert chosen.outcome.accuracy == best


def test_a_throughput_is_the_inverse_of_a_mean_time() -> None:
    data = scores([[0.1, 0.0], [0.2, 0.0], [0.6, 0.0]], [[1, 1], [0, 1], [0, 1]])
    costs = Costs((1.0, 3.0))
    by_rate = calibration.optimum(data, costs, min_throughput=0.5)
    by_time = calibration.optimum(data, costs, max_mean_seconds=2.0)
    assert by_rate.thresholds == by_time.thresholds
    assert by_rate.mean_cost == pytest.approx(2.0)


@pytest.mark.parametrize(
    "constraint, nearest",
    [
        ({"min_throughput": 2.0}, "min_throughput is 2: .* nearest feasible one is 1$"),
        ({"max_mean_seconds": 0.5}, "max_mean_seconds is 0.5: .* nearest feasible one is 1$"),
        ({"max_loss_points": -50.0}, "max_loss_points is -50: .* nearest feasible one is -25$"),
    ],
)
def test_a_constraint_that_cannot_be_met_is_refused_with_the_nearest_that_can(
    constraint: dict[str, float], nearest: str
) -> None:
    data = scores([[0.1, 0.0], [0.2, 0.0], [0.6, 0.0], [0.7, 0.0]], [[1, 0], [1, 1], [0, 1], [0, 1]])
    with pytest.raises(InputError, match=nearest):
        calibration.optimum(data, Costs((1.0, 1.0)), **constraint)
    limit = float(nearest.removesuffix("$").rsplit(" ", 1)[1])
    calibration.optimum(data, Costs((1.0, 1.0)), **dict.fromkeys(constraint, limit))


@pytest.mark.parametrize(
    "constraint, message",
    [
        ({}, "constraints given: none; give one of max_loss_points"),
        ({"max_loss_points": 1.0, "min_throughput": 1.0}, "give one of"),
        ({"max_loss": 1.0}, "constraints given: max_loss;"),
        ({"max_mean_joules": 1.0}, "needs costs in joules, measured or modelled; these are in seconds"),
        ({"max_mean_seconds": 0.0}, "must be finite and more than 0"),
        ({"max_loss_points": math.nan}, "must be finite"),
        ({"min_early_share": 98.0}, "min_early_share is 98; it must be 0 to 1"),
    ],
)
def test_a_constraint_that_means_nothing_is_refused(constraint: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        calibration.optimum(scores([[0.1, 0.0]], [[1, 1]]), Costs((1.0, 1.0)), **constraint)


@pytest.mark.parametrize(
    "truth, message",
    [
        ([1, 2], r"labels have shape \(2,\) for 3 images; every image needs one label"),
        ([1, 2, 10], "label 10 of image 2 is outside 0 to 9"),
        ([-1, 2, 3], "label -1 of image 0 is outside 0 to 9"),
        ([1.0, 2.0, 3.0], "labels are float64; they must be integers"),
    ],
)
def test_labels_that_are_missing_or_outside_0_to_9_are_refused(truth: list, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Scores.of(np.zeros((3, 2, 10)), truth)


def test_a_calibration_set_without_an_image_is_refused() -> None:
    with pytest.raises(InputError, match="no image to calibrate on"):
        Scores.of(np.zeros((0, 2, 10)), np.zeros(0, int))


def test_costs_of_another_number_of_exits_are_refused() -> None:
    with pytest.raises(InputError, match="3 costs for 2 exits"):
        calibration.front(scores([[0.1, 0.0]], [[1, 1]]), Costs((1.0, 1.0, 1.0)))


@pytest.mark.parametrize("cost", [-1.0, math.inf, math.nan])
def test_a_cost_that_is_negative_or_not_finite_is_refused(cost: float) -> None:
    with pytest.raises(InputError, match="it must be finite and 0 or more"):
        Costs((1.0, cost))


def test_scores_come_from_the_logits_of_every_exit() -> None:
    logits = np.zeros((1, 2, 10))
    logits[0, 1, 7] = 100
    made = Scores.of(logits, [7])
    assert made.label.tolist() == [[0, 7]]
    assert made.entropy[0] == pytest.approx([math.log(10), 0.0], abs=1e-5)


def test_a_sweep_reaches_from_no_early_exit_to_all() -> None:
    data = scores([[0.1, 0.0], [0.2, 0.0]], [[1, 1], [0, 1]])
    swept = calibration.sweep(data, [0.0, 0.15, 3.0])
    assert swept.shares.tolist() == [[0, 1], [0.5, 0.5], [1, 0]]
    assert swept.accuracy.tolist() == [1.0, 1.0, 0.5]


def test_a_probability_makes_the_optimum_risk_controlled() -> None:
    images = 2000
    data = scores([[0.1, 0.0]] * images, [[1, 1]] * images)
    chosen = calibration.optimum(data, max_loss_points=1.0, delta=0.1)
    assert chosen.mode == "risk-controlled"
    assert chosen.details["delta"] == 0.1
    assert chosen.outcome.shares == (1.0, 0.0)


def test_a_probability_for_anything_but_a_loss_is_refused() -> None:
    with pytest.raises(InputError, match="delta is for a bound on the loss"):
        calibration.optimum(scores([[0.1, 0.0]], [[1, 1]]), Costs((1.0, 1.0)), delta=0.1, max_mean_seconds=3.0)
