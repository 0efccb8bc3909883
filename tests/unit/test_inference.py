"""The parts of the inference that need no device: joining predictions, choosing the device."""

from __future__ import annotations

import numpy as np
import pytest

import models
from pynq_ee.errors import InputError, ModelFileError
from pynq_ee.inference import EarlyExitInference
from pynq_ee.prediction import Prediction, concatenate
from pynq_ee.trace import STAGES


def prediction(labels: list[int], exits: list[int], seconds: float, clocks: int | None) -> Prediction:
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
    assert concatenate([prediction([1], [1], 0.5, None)] * 2).fabric_clocks is None
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
        (
            {"device": "simulated"},
            InputError,
            "device is 'simulated'; give None for this board, sim, sim-numpy, sim-rtl or",
        ),
        (
            {"device": 3},
            InputError,
            "device is 3; give None for this board, sim, sim-numpy, sim-rtl or software, or a pynq device",
        ),
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


# At a prompt ---------------------------------------------------------------------------------------------------------


def test_one_answer_a_part_and_all_in_turn_come_out_of_a_prediction() -> None:
    whole = prediction([7, 8, 9, 3], [1, 2, 1, 1], 1.0, 400)
    assert whole[3].label == 3 and whole[-3].exit == 2 and whole[np.int64(0)].entropy == 0.1
    assert [answer.label for answer in whole] == [7, 8, 9, 3] and whole[1].logits.shape == (10,)
    part = whole[1:3]
    assert part.labels.tolist() == [8, 9] and len(part) == 2 and part.fabric_clocks == 200
    assert part.seconds == dict.fromkeys(STAGES, 0.5)
    assert whole[whole.exits == 2].labels.tolist() == whole[[1]].labels.tolist() == [8]
    with pytest.raises(IndexError):
        whole[4]


def test_predictions_are_compared_by_their_answers() -> None:
    one, other = prediction([7, 8], [1, 2], 1.0, 400), prediction([7, 8], [1, 2], 3.0, 400)
    assert one == other and hash(one) == hash(other) and one != prediction([7, 9], [1, 2], 1.0, 400)
    assert one != prediction([7], [1], 1.0, 400) and one != "one" and one[:1] != other[1:]


def test_a_prediction_gives_columns_and_a_line() -> None:
    columns = prediction([7, 8], [1, 2], 1.0, 400).to_dict()
    assert list(columns)[:4] == ["label", "exit", "entropy", "logit_0"] and len(columns) == 13
    assert all(len(column) == 2 for column in columns.values()) and columns["logit_9"].tolist() == [9, 19]
    line = repr(prediction([7, 8], [1, 2], 1.0, 400))
    assert line == "<Prediction of 2 images: 7 8, 1 left at exit 1, 1 left at exit 2; a device>"
    assert repr(prediction([7], [1], 1.0, 9)) == "<Prediction 7, left at exit 1, entropy 0.1000 nats; a device>"
    assert repr(prediction([], [], 0, 0)) == "<Prediction of 0 images: none; a device>"
    assert len(repr(prediction(list(range(10)) * 100, [1] * 1000, 1.0, 9))) < 120


def test_a_notebook_shows_a_table_with_the_pictures_that_are_at_hand() -> None:
    one = prediction([7, 8], [1, 2], 1.0, 400)
    assert one._repr_html_().count("<tr>") == 3 and "<img" not in one._repr_html_()
    images = np.zeros((2, 28, 28), np.uint8)
    one.show(images)
    images[:] = 255
    assert one.images is not None and not one.images.any(), "a copy"
    assert one._repr_html_().count("<img") == 2 and one[1:]._repr_html_().count("<img") == 1
    many = prediction([1] * 100, [1] * 100, 1.0, 9).show(np.zeros((100, 28, 28), np.uint8))
    assert many.images is None and ".. 88 more images" in many._repr_html_()


def test_a_network_says_what_it_is_and_refuses_a_misspelt_attribute() -> None:
    pytest.importorskip("pynq", reason="the simulated board is a device of pynq, which is not installed")
    model = models.random_model()
    with EarlyExitInference(model, device="sim-numpy", threshold=0.25) as network:
        line = repr(network)
        for part in ("lenet5-2exit", f"0x{model.build_id:08x}", "simulated pynq-z2", "threshold 0.25 nats", "100 MHz"):
            assert part in line
        with pytest.raises(AttributeError, match="no attribute 'treshold'; did you mean threshold"):
            network.treshold = 3
        with pytest.raises(AttributeError, match="threshold and trace may be set"):
            network.batch = 3
        for fixed in ("model", "device", "remainder"):
            with pytest.raises(AttributeError, match=f"{fixed} cannot be changed"):
                setattr(network, fixed, None)
        network.threshold = 3
        assert network.threshold == (3.0,) and network.classify(np.zeros((28, 28), np.uint8)).images is not None
    assert "closed" in repr(network)
    assert repr(EarlyExitInference.__new__(EarlyExitInference)) == "<EarlyExitInference, not open>"
