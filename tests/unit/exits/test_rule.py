"""Images leave where the policy says."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pynq_ee import exits
from pynq_ee.errors import InputError

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
