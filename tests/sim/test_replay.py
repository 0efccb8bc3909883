"""On the board whose results are known beforehand, the real driver gets the results of the simulated one."""

from __future__ import annotations

import numpy as np
import pytest

import models
from pynq_ee import EarlyExitInference
from pynq_ee.exits import entropy
from pynq_ee.sim.replay import ReplayDevice


def halves(network: EarlyExitInference, images: np.ndarray) -> tuple[float, ...]:
    """Thresholds that let about half of the images that reach an exit leave there."""
    return tuple(np.quantile(entropy(network.all_exits(images)), 0.5, axis=0)[:-1])


@pytest.mark.parametrize("features", [True, False])
@pytest.mark.parametrize("batch", [1, 7, 40])
def test_predictions_are_those_of_the_simulated_board(noise: np.ndarray, features: bool, batch: int) -> None:
    model = models.random_model(5, network="lenet5-3exit")
    with EarlyExitInference(model, device="sim-numpy") as network:
        network.threshold = threshold = halves(network, noise)
        expected = network.classify(noise)
    with (
        ReplayDevice(model, noise, features) as device,
        EarlyExitInference(
            model, device=device, threshold=threshold, features=features, images_per_transfer=batch
        ) as network,
    ):
        for _ in range(2):  # the sequence starts again
            found = network.classify(noise)
            np.testing.assert_array_equal(found.labels, expected.labels)
            np.testing.assert_array_equal(found.exits, expected.exits)
            np.testing.assert_allclose(found.logits, expected.logits, atol=1e-4)
    assert set(expected.exits) == {1, 2, 3}


def test_the_time_of_placing_results_is_kept_apart(noise: np.ndarray) -> None:
    model = models.random_model()
    with ReplayDevice(model, noise) as device, EarlyExitInference(model, device=device) as network:
        before = device.replay_seconds
        prediction = network.classify(noise)
        assert 0 < device.replay_seconds - before < prediction.seconds["fabric"]


def test_its_name_says_what_it_is(noise: np.ndarray) -> None:
    with ReplayDevice(models.random_model(), noise) as device:
        assert "known beforehand" in device.name
