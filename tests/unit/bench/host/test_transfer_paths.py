"""The paths that are compared: all give the same logits, and their counts are what they do."""

from __future__ import annotations

import numpy as np
import pytest

import models
from pynq_ee.bench.host import transfer_paths


@pytest.fixture(scope="module")
def rows():
    images = np.random.default_rng(5).integers(0, 256, (3, 28, 28)).astype(np.uint8)
    return {row.path: row for row in transfer_paths.measure(models.random_model(), images, 3, repetitions=2)}


def test_every_path_is_measured_after_their_logits_were_compared(rows):
    assert list(rows) == [*transfer_paths.VERIFY, "pynq.lib.dma", "finn-plus-driver"]
    assert all(row.batch == 3 and row.seconds > 0 and row.calls > 0 for row in rows.values())
    assert rows["this driver"].ratio == 1


def test_this_driver_takes_few_python_calls(rows):
    assert rows["this driver"].calls <= 54


def test_this_driver_takes_at_most_half_of_the_register_accesses_of_pynqs_and_one_for_each_checksum(rows):
    assert rows["this driver, no checksum"].accesses * 2 <= rows["pynq.lib.dma"].accesses
    checksums = [rows[name].accesses - rows["this driver, no checksum"].accesses for name in transfer_paths.VERIFY]
    assert checksums == [1, 0, 2]


def test_finn_pluss_sequence_has_an_idle_check_four_writes_a_mover_and_one_poll(rows):
    assert rows["finn-plus-driver"].accesses == 1 + 2 * 4 + 1


def test_a_path_with_other_logits_is_not_timed(monkeypatch):
    monkeypatch.setattr(
        transfer_paths,
        "this_driver",
        lambda model, device, batch, verify: lambda images: np.zeros((batch, 10), np.int16),
    )
    images = np.random.default_rng(5).integers(0, 256, (3, 28, 28)).astype(np.uint8)
    with pytest.raises(AssertionError, match="this driver returns other logits"):
        transfer_paths.measure(models.random_model(), images, 3, repetitions=1)
