"""Entropy is what it is in a textbook, and the same on every machine."""

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
from pynq_ee.exits import softmax_entropy

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
    assert np.allclose(exits.entropy(on_the_grid), expected, atol=softmax_entropy.ENTROPY_ERROR)


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
    exponentials, logarithms = softmax_entropy.exponentials().tolist(), softmax_entropy.logarithms().tolist()
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
    exponentials, logarithms = softmax_entropy.exponentials(), softmax_entropy.logarithms()
    assert exponentials[-1] == 0 and (np.diff(exponentials) <= 0).all() and len(logarithms) == 257
    assert np.abs(exponentials - 2**20 * np.exp(-np.arange(len(exponentials)) / 256)).max() <= 0.5 + 1e-6
    excess = 2**20 * np.log1p(np.arange(257) / 256) - logarithms
    assert excess.min() >= 0 and excess.max() < 1


def test_the_tables_are_the_same_on_every_machine() -> None:
    """Their digest, as it was when the shipped thresholds were calibrated."""
    tables = np.concatenate([softmax_entropy.exponentials(), softmax_entropy.logarithms()]).astype("<i8")
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
    assert exits.entropy(logits) == pytest.approx(nats, abs=softmax_entropy.ENTROPY_ERROR if nats else 0)


def test_entropy_of_16_bit_logits_needs_no_conversion() -> None:
    logits = np.array([[-32768, 32767], [3, 3]], np.int16)
    assert exits.entropy(logits).tolist() == pytest.approx([0, math.log(2)], abs=1e-5)


@pytest.mark.parametrize("function", [exits.entropy, exits.softmax])
@pytest.mark.parametrize("logits", [[1, np.nan], [np.inf, 0], [-np.inf, 0], [], np.zeros((3, 0)), 3.0])
def test_logits_without_a_distribution_are_refused(function: object, logits: object) -> None:
    with pytest.raises(InputError, match=r"logit"):
        function(logits)
