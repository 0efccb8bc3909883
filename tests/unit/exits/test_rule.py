"""Entropy is what it is in a textbook, and images leave where the policy says."""

from __future__ import annotations

import hashlib
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pynq_ee import exits
from pynq_ee.errors import InputError
from pynq_ee.exits import rule

FINITE = st.floats(allow_nan=False, allow_infinity=False)
LOGITS = hnp.arrays(np.float64, st.tuples(st.integers(1, 5), st.integers(1, 12)), elements=st.floats(-60, 60))


@given(LOGITS)
def test_softmax_is_a_distribution_in_the_order_of_the_logits(logits: np.ndarray) -> None:
    probabilities = exits.softmax(logits)
    assert np.allclose(probabilities.sum(-1), 1, atol=1e-12) and (probabilities >= 0).all()
    order = np.argsort(logits, -1, kind="stable")
    assert (np.diff(np.take_along_axis(probabilities, order, -1), axis=-1) >= 0).all()


@given(LOGITS)
def test_entropy_is_that_of_the_softmax(logits: np.ndarray) -> None:
    on_the_grid = np.round(logits * 256) / 256
    expected = [-math.fsum(p * math.log(p) for p in row if p > 0) for row in exits.softmax(on_the_grid).tolist()]
    assert np.allclose(exits.entropy(on_the_grid), expected, atol=rule.ENTROPY_ERROR)


@given(hnp.arrays(np.float64, hnp.array_shapes(max_dims=3, max_side=5), elements=FINITE))
def test_entropy_of_any_finite_logits_lies_between_0_and_ln_of_the_classes(logits: np.ndarray) -> None:
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        nats = exits.entropy(logits)
        probabilities = exits.softmax(logits)
    assert nats.shape == logits.shape[:-1] and probabilities.shape == logits.shape
    assert ((nats >= 0) & (nats <= math.log(logits.shape[-1]) + 1e-6)).all()
    assert np.isfinite(probabilities).all()


@given(hnp.arrays(np.int16, st.tuples(st.integers(1, 5), st.integers(1, 12))), st.integers(-12, 2), st.integers(-9, 9))
def test_entropy_does_not_see_a_shift_of_all_logits(logits: np.ndarray, exponent: int, shift: int) -> None:
    scaled = logits * 2.0**exponent
    assert np.array_equal(exits.entropy(scaled + shift), exits.entropy(scaled))


@given(hnp.arrays(np.int16, st.tuples(st.integers(1, 5), st.integers(1, 12))), st.integers(-32, 32))
def test_entropy_is_its_definition_in_whole_numbers(logits: np.ndarray, exponent: int) -> None:
    """Word for word, in Python's integers, but for the one division at the end."""
    exponentials, logarithms = rule.exponentials().tolist(), rule.logarithms().tolist()
    for row, found in zip(logits.tolist(), exits.entropy(logits * 2.0**exponent).tolist()):
        differences = [
            math.floor(Fraction(max(row) - logit) * Fraction(2) ** (exponent + 8) + Fraction(1, 2)) for logit in row
        ]
        terms = [exponentials[d] if d < len(exponentials) else 0 for d in differences]
        total, weighted = sum(terms), sum(d * term for d, term in zip(differences, terms))
        octave = total.bit_length() - 21
        place, rest = divmod((total >> octave) - (1 << 20), 1 << 12)
        slope = logarithms[place + 1] - logarithms[place]
        logarithm = octave * logarithms[256] + logarithms[place] + (slope * rest >> 12)
        assert found == (total * logarithm + (weighted << 12)) / (total << 20)


def test_the_tables_are_exp_and_ln() -> None:
    """Of the exponentials and logarithms that a double knows better than they do."""
    exponentials, logarithms = rule.exponentials(), rule.logarithms()
    assert exponentials[-1] == 0 and (np.diff(exponentials) <= 0).all() and len(logarithms) == 257
    assert np.abs(exponentials - 2**20 * np.exp(-np.arange(len(exponentials)) / 256)).max() <= 0.5 + 1e-6
    excess = 2**20 * np.log1p(np.arange(257) / 256) - logarithms
    assert excess.min() >= 0 and excess.max() < 1


def test_the_tables_are_the_same_on_every_machine() -> None:
    """Their digest, as it was when the shipped thresholds were calibrated."""
    tables = np.concatenate([rule.exponentials(), rule.logarithms()]).astype("<i8")
    assert hashlib.sha256(tables.tobytes()).hexdigest()[:16] == "9649d7b453cb575f"


@pytest.mark.parametrize(
    ("logits", "nats"),
    [
        ([0] * 10, math.log(10)),
        ([5, 5], math.log(2)),
        ([1e300, -1e300], 0.0),
        ([1.7e308, -1.7e308, 0], 0.0),
        ([7], 0.0),
        ([0.0, 1.0], math.log(1 + math.e) - math.e / (1 + math.e)),
    ],
)
def test_entropy_of_known_logits(logits: list, nats: float) -> None:
    assert exits.entropy(logits) == pytest.approx(nats, abs=rule.ENTROPY_ERROR if nats else 0)


def test_entropy_of_16_bit_logits_needs_no_conversion() -> None:
    logits = np.array([[-32768, 32767], [3, 3]], np.int16)
    assert exits.entropy(logits).tolist() == pytest.approx([0, math.log(2)], abs=1e-5)


@pytest.mark.parametrize("function", [exits.entropy, exits.softmax])
@pytest.mark.parametrize("logits", [[1, np.nan], [np.inf, 0], [-np.inf, 0], [], np.zeros((3, 0)), 3.0])
def test_logits_without_a_distribution_are_refused(function: object, logits: object) -> None:
    with pytest.raises(InputError, match=r"logit"):
        function(logits)


# The policy ----------------------------------------------------------------------------------------------------------

NATS = st.sampled_from([0.0, 0.1, 0.2, 0.5, math.log(10), math.inf])


@given(st.data(), st.integers(1, 4), st.integers(0, 20), st.booleans())
def test_an_image_leaves_at_the_first_exit_below_its_threshold(
    data: st.DataObject, early: int, images: int, with_last: bool
) -> None:
    thresholds = tuple(data.draw(st.lists(NATS, min_size=early, max_size=early)))
    entropies = data.draw(hnp.arrays(np.float64, (images, early + with_last), elements=NATS))
    expected = []
    for row in entropies:
        for number in range(early):
            if row[number] < thresholds[number]:
                expected.append(number + 1)
                break
        else:
            expected.append(early + 1)
    assert exits.exit_of(entropies, thresholds).tolist() == expected


def test_equal_is_not_below() -> None:
    assert exits.leaves(np.array([0.2, np.nextafter(0.2, 0)]), 0.2).tolist() == [False, True]


def test_a_threshold_of_0_lets_none_leave_and_infinity_all() -> None:
    entropies = np.array([[0.0], [2.3]])
    assert exits.exit_of(entropies, (0.0,)).tolist() == [2, 2]
    assert exits.exit_of(entropies, (math.inf,)).tolist() == [1, 1]


@pytest.mark.parametrize(
    ("given", "count", "vector"),
    [
        (0.5, 2, (0.5,)),
        (0.5, 3, (0.5, 0.5)),
        (1, 2, (1.0,)),
        (np.float32(0.5), 3, (0.5, 0.5)),
        ([0.4, 0.2], 3, (0.4, 0.2)),
        (np.array([0.4, 0.25]), 3, (0.4, 0.25)),
        ((number for number in (1, 2)), 3, (1.0, 2.0)),
        (math.inf, 2, (math.inf,)),
    ],
)
def test_thresholds_are_one_number_or_one_for_each_early_exit(given: object, count: int, vector: tuple) -> None:
    assert exits.check_thresholds(given, count) == vector
    assert all(type(number) is float for number in exits.check_thresholds(vector, count))


@pytest.mark.parametrize(
    ("given", "count", "message"),
    [
        ((), 2, "0 thresholds for 2 exits"),
        ((0.1, 0.2), 2, "2 thresholds for 2 exits"),
        ((0.1,), 3, "1 thresholds for 3 exits"),
        (math.nan, 2, "threshold is nan nats"),
        (-0.01, 2, "threshold is -0.01 nats"),
        ((0.1, -math.inf), 3, "threshold is -inf nats"),
        ("12", 3, "threshold is '12'"),
        ("0.5", 2, "threshold is '0.5'"),
        (None, 2, "threshold is None"),
        (("a",), 2, "threshold is"),
        (1j, 2, "threshold is 1j"),
        (10**400, 2, "give a number of nats"),
        (np.zeros((1, 1, 2)), 2, "threshold is"),
    ],
)
def test_other_thresholds_are_refused(given: object, count: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        exits.check_thresholds(given, count)
