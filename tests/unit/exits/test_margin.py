"""The margin by which features are sent is exact: no image that stays lacks its features, whatever the threshold."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pynq_ee import exits
from pynq_ee.exits.margin import SLACK, feature_margin, greatest_entropy
from pynq_ee.network import fabric, weights
from pynq_ee.network.spec import CLASSES, FEATURES_ALWAYS, FEATURES_NEVER, LOGIT_MAX, LOGIT_MIN

SCALES = st.integers(-14, 2).map(lambda exponent: 2.0**exponent)
THRESHOLDS = st.one_of(st.floats(0, 3), st.floats(0, 1e-2), st.just(math.inf), st.just(math.log(CLASSES)))


@given(
    threshold=THRESHOLDS,
    scale=SCALES,
    largest=st.integers(LOGIT_MIN, LOGIT_MAX),
    others=st.lists(st.integers(LOGIT_MIN, LOGIT_MAX), min_size=CLASSES - 1, max_size=CLASSES - 1),
    near=st.integers(-2, 2),
    equal=st.booleans(),
)
def test_an_image_without_features_leaves_whatever_the_threshold(threshold, scale, largest, others, near, equal):
    margin = feature_margin(threshold, scale)
    second = min(max(largest - margin + near, LOGIT_MIN), LOGIT_MAX)  # about the margin, where it matters
    rest = [second] * (CLASSES - 1) if equal else [second, *(min(other, second) for other in others[1:])]
    logits = np.array([[largest, *rest]], np.int16)
    if not fabric.features_follow(logits, margin)[0]:
        entropy = exits.entropy(logits * scale)
        assert exits.leaves(entropy, threshold)[0]


@given(threshold=THRESHOLDS, scale=SCALES)
def test_no_smaller_margin_is_exact(threshold, scale):
    margin = feature_margin(threshold, scale)
    if margin > FEATURES_NEVER:
        assert greatest_entropy(margin - 1, scale) >= threshold - SLACK
    if margin < FEATURES_ALWAYS:
        assert greatest_entropy(margin, scale) < threshold - SLACK


@given(
    difference=st.integers(0, 3000),
    scale=SCALES,
    depths=st.lists(st.integers(0, 20_000), min_size=CLASSES - 2, max_size=CLASSES - 2),
)
def test_no_logits_of_a_difference_have_a_greater_entropy_than_equal_ones(difference, scale, depths):
    logits = -scale * np.array([0, difference, *(difference + depth for depth in depths)])
    equal = -scale * np.array([0, *[difference] * (CLASSES - 1)])
    greatest = greatest_entropy(difference, scale)
    assert exits.entropy(logits) <= greatest + SLACK
    assert exits.entropy(equal) == pytest.approx(greatest, abs=SLACK)
    assert greatest_entropy(difference + 1, scale) <= greatest


def test_the_ends_of_the_scale_are_never_and_always():
    for threshold, expected in ((0.0, FEATURES_ALWAYS), (SLACK, FEATURES_ALWAYS), (math.inf, FEATURES_NEVER)):
        assert feature_margin(threshold, 2.0**-7) == expected
    assert feature_margin(math.log(CLASSES) + 2 * SLACK, 2.0**-7) == FEATURES_NEVER
    assert feature_margin(0.01, 2.0**-14) == FEATURES_ALWAYS, "no difference of 16 bit is large enough"


def test_the_largest_difference_is_sent_features_by_the_largest_margin_alone():
    logits = np.array([[LOGIT_MAX, *[LOGIT_MIN] * (CLASSES - 1)]], np.int16)
    assert fabric.features_follow(logits, FEATURES_ALWAYS).all()
    assert not fabric.features_follow(logits, FEATURES_ALWAYS - 1).any()


@pytest.mark.parametrize("name", weights.shipped_models())
def test_no_digit_that_stays_lacks_its_features_and_few_that_leave_have_them(name, digits):
    model = weights.load(name)
    scale = 2.0 ** model.logit_exponents[0]
    logits = fabric.first_exit(digits.images, model)[1]
    entropy = exits.entropy(logits * scale)
    for threshold in (0.0, *np.geomspace(1e-3, 2.4, 40), model.thresholds[0]):
        follow = fabric.features_follow(logits, feature_margin(threshold, scale))
        stays = ~exits.leaves(entropy, threshold)
        assert not (stays & ~follow).any(), threshold
    assert stays.mean() < follow.mean() < 0.2, "by the model's own threshold"
