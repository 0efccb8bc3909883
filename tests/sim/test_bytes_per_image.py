"""The bytes that are counted for an image are those that the board's DMA moves."""

from __future__ import annotations

import numpy as np
import pytest

from pynq_ee import EarlyExitInference
from pynq_ee.bench.host import bytes_per_image
from pynq_ee.sim import SimulatedDevice


@pytest.mark.parametrize("threshold", [0.0, 0.3, 1.2, 3.0])
def test_the_bytes_are_those_that_the_boards_dma_moves(random_model, images, threshold):
    model = random_model(seed=3)
    digits = images(40)
    digits[20:] = np.kron(np.eye(7, dtype=np.uint8) * 255, np.ones((4, 4), np.uint8))
    row = bytes_per_image.count(model, digits, [threshold])[0]
    with (
        SimulatedDevice(model, kernel="numpy") as device,
        EarlyExitInference(model, device=device, threshold=threshold, images_per_transfer=64) as network,
    ):
        found = network.classify(digits)
        moved = max(slot.received for slot in network.accelerator.slots)
    assert moved == round(row.returned * len(digits))
    assert row.staying == pytest.approx(1 - found.share(1)) and row.staying <= row.followed
    assert row.sent == digits[0].size and row.returned <= row.always


def test_the_ends_of_the_scale_return_all_features_and_none(random_model, images):
    every, none = bytes_per_image.count(random_model(seed=3), images(5), [0.0, float("inf")])
    assert (every.followed, every.returned) == (1, every.always)
    assert (none.followed, none.returned) == (0, 24)


def test_the_table_has_a_line_for_each_row(random_model, images):
    rows = bytes_per_image.count(random_model(seed=3), images(5), [0.0, 0.5])
    assert len(bytes_per_image.table(rows).splitlines()) == 2 + len(rows)
