"""The risk bound's promise on real digits and the shipped models: random splits of what was never trained on."""

from __future__ import annotations

import math

import pytest

from pynq_ee.bench.exit_rule import resampling, robustness
from pynq_ee.data import datasets
from pynq_ee.errors import DataError
from pynq_ee.exits.scores import Scores, concatenate
from pynq_ee.network import weights

DELTA, SPLITS = 0.1, 200


@pytest.fixture(scope="module", params=weights.shipped_models())
def held_out(request: pytest.FixtureRequest) -> Scores:
    """Scores of a model on validation and, where MNIST is, test images."""
    model = weights.load(request.param)
    try:
        parts = [datasets.calibration(), *([datasets.load("test")] if datasets.mnist_folder() else [])]
    except DataError as error:
        pytest.skip(str(error))
    return concatenate([robustness.scores_of(model, part.images, part.labels) for part in parts])


@pytest.mark.slow
def test_the_bound_is_violated_in_at_most_delta_of_the_splits(held_out: Scores) -> None:
    drawn = len(held_out) // 3
    bound = 0.1 * 5000 / drawn  # a third of the images can vouch for no less
    found = resampling.resample(
        held_out, max_loss_points=bound, delta=DELTA, splits=SPLITS, calibration_images=drawn, seed=1
    )
    allowed = DELTA + 3 * math.sqrt(DELTA * (1 - DELTA) / SPLITS)
    assert found["violations"] <= allowed
    assert found["risk_violations"] <= allowed
    assert found["early_share"] > 0.5  # the promise is not kept by letting nobody leave
