"""The parts of the inference that need no device: joining predictions, choosing the device."""

from __future__ import annotations

import numpy as np
import pytest

import models
from pynq_ee.errors import InputError, ModelFileError
from pynq_ee.inference import EarlyExitInference
from pynq_ee.prediction import Prediction, concatenate
from pynq_ee.trace import STAGES


def prediction(labels: list[int], exits: list[int], seconds: float, clocks: int) -> Prediction:
    """A prediction with recognizable content."""
    count = len(labels)
    return Prediction(
        np.array(labels),
        np.array(exits),
        np.full(count, 0.1),
        np.arange(10 * count, dtype=np.float32).reshape(count, 10),
        "a device",
        dict.fromkeys(STAGES, seconds),
        clocks,
    )


def test_predictions_are_joined_in_order_and_their_times_and_clocks_add_up() -> None:
    joined = concatenate([prediction([1, 2], [1, 2], 0.5, 596), prediction([3], [1], 0.25, 498)])
    assert joined.labels.tolist() == [1, 2, 3] and joined.exits.tolist() == [1, 2, 1]
    assert joined.logits.shape == (3, 10) and joined.entropy.shape == (3,) and len(joined) == 3
    assert joined.seconds == dict.fromkeys(STAGES, 0.75) and joined.fabric_clocks == 1094
    assert joined.device == "a device"


def test_the_share_of_an_exit_is_of_all_images() -> None:
    one = prediction([0, 1, 2, 3], [1, 1, 1, 3], 0, 0)
    assert [one.share(number) for number in (1, 2, 3)] == [0.75, 0, 0.25]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"device": "simulated"}, InputError, "device is 'simulated'; give None for this board, sim or sim-numpy"),
        ({"device": 3}, InputError, "device is 3; give None for this board, sim or sim-numpy, or a pynq device"),
        ({"device": ["sim"]}, InputError, r"device is \['sim'\]; give None"),
        ({"remainder": "cuda"}, InputError, "remainder is 'cuda'"),
        ({"threshold": -1}, InputError, "threshold is -1.0 nats"),
        ({"threshold": (0.1, 0.2)}, InputError, "2 thresholds for 2 exits"),
        ({"model": "no-such"}, ModelFileError, "no shipped model 'no-such'"),
    ],
)
def test_what_cannot_be_used_is_refused_before_a_device_is_opened(options: dict, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        EarlyExitInference(**{"model": models.random_model(), "device": "never-opened", **options})
