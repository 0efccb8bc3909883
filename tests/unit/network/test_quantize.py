"""The integer arithmetic is what its formula says, over the whole range of the fabric."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pynq_ee.network import quantize

ACCUMULATORS = st.integers(-(2**31), 2**31 - 1)
SHIFTS = st.integers(0, quantize.SHIFT_MAX)


@given(ACCUMULATORS, SHIFTS)
def test_a_shift_is_the_exact_division_with_halves_rounded_up(value: int, shift: int) -> None:
    result = quantize.rounding_right_shift(np.array(value), shift)
    assert result == floor(Fraction(value, 2**shift) + Fraction(1, 2))
    assert result.dtype == np.int64


@pytest.mark.parametrize(
    ("value", "shift", "result"),
    [(1, 1, 1), (-1, 1, 0), (3, 1, 2), (-3, 1, -1), (5, 2, 1), (6, 2, 2), (-6, 2, -1), (7, 0, 7)],
)
def test_halves_go_towards_plus_infinity(value: int, shift: int, result: int) -> None:
    assert quantize.rounding_right_shift(np.array(value, np.int32), shift) == result


@given(ACCUMULATORS, SHIFTS)
def test_an_activation_is_the_rounded_value_cut_to_0_to_15(value: int, shift: int) -> None:
    exact = floor(Fraction(value, 2**shift) + Fraction(1, 2))
    result = quantize.to_activation(np.array([value]), shift)
    assert result.tolist() == [min(max(exact, 0), 15)] and result.dtype == np.uint8


@given(ACCUMULATORS, SHIFTS)
def test_a_logit_is_the_rounded_value_cut_to_16_bits(value: int, shift: int) -> None:
    exact = floor(Fraction(value, 2**shift) + Fraction(1, 2))
    result = quantize.to_logit(np.array([value]), shift)
    assert result.tolist() == [min(max(exact, -32768), 32767)] and result.dtype == np.int16


@given(hnp.arrays(np.int32, (2, 2, 3)), SHIFTS)
def test_requantization_commutes_with_max_pooling(block: np.ndarray, shift: int) -> None:
    before = quantize.to_activation(block.max((0, 1)), shift)
    after = quantize.to_activation(block, shift).max((0, 1))
    assert np.array_equal(before, after)


@given(hnp.arrays(np.int32, (5, 4)), hnp.arrays(np.uint8, 4, elements=SHIFTS))
def test_each_channel_has_a_shift_of_its_own(values: np.ndarray, shifts: np.ndarray) -> None:
    together = quantize.rounding_right_shift(values, shifts)
    for channel in range(4):
        alone = quantize.rounding_right_shift(values[:, channel], int(shifts[channel]))
        assert np.array_equal(together[:, channel], alone)


@pytest.mark.parametrize("shift", [-1, 32, [3, 32], [-1, 0]])
def test_a_shift_outside_0_to_31_is_refused(shift: object) -> None:
    with pytest.raises(ValueError, match=r"it must be 0 to 31"):
        quantize.rounding_right_shift(np.array([1, 2]), shift)


@pytest.mark.parametrize(("values", "shift", "name"), [(np.array([1.5]), 1, "values"), (np.array([1]), 1.0, "shift")])
def test_only_integers_are_shifted(values: np.ndarray, shift: object, name: str) -> None:
    with pytest.raises(TypeError, match=name):
        quantize.rounding_right_shift(values, shift)


NIBBLES = hnp.arrays(
    np.uint8, st.tuples(st.integers(0, 4), st.integers(0, 9).map(lambda half: 2 * half)), elements=st.integers(0, 15)
)


@given(NIBBLES)
def test_nibbles_come_back_as_they_were_packed(values: np.ndarray) -> None:
    packed = quantize.pack_nibbles(values)
    assert packed.dtype == np.uint8 and packed.shape == (values.shape[0], values.shape[1] // 2)
    assert np.array_equal(quantize.unpack_nibbles(packed), values)


@given(hnp.arrays(np.uint8, hnp.array_shapes(max_dims=3)))
def test_every_byte_is_two_nibbles(packed: np.ndarray) -> None:
    assert np.array_equal(quantize.pack_nibbles(quantize.unpack_nibbles(packed)), packed)


def test_the_first_nibble_is_the_low_one() -> None:
    assert quantize.pack_nibbles(np.array([0x1, 0xF, 0x0, 0x3], np.uint8)).tolist() == [0xF1, 0x30]


@pytest.mark.parametrize(
    "values", [np.zeros(3, np.uint8), np.array([0, 16], np.uint8), np.array([-1, 0], np.int8)], ids=["odd", "16", "-1"]
)
def test_what_does_not_fit_nibbles_is_refused(values: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"even|4 bits"):
        quantize.pack_nibbles(values)
