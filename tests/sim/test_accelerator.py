"""The accelerator's registers (ap_ctrl_hs, s_axilite) and the contract of its batches, through pynq."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pynq
import pytest

from pynq_ee.network import fabric, spec
from pynq_ee.network.spec import REGISTER_OFFSET
from pynq_ee.network.weights import Model
from pynq_ee.sim import SimulatedDevice
from pynq_ee.sim.axi_intc import MER, MER_HARDWARE_ENABLE, MER_MASTER_ENABLE

Images = npt.NDArray[np.uint8]
OUTPUTS = [register.name for register in spec.REGISTERS if register.access == "read-only"]
RECORD = np.dtype([("logits", "<i2", spec.CLASSES), ("sequence", "<u2"), ("flags", "<u2")])


class Batch(NamedTuple):
    """What a batch brought."""

    features: npt.NDArray[np.uint8]
    records: npt.NDArray[Any]
    registers: dict[str, int]


@pytest.fixture
def kernel(overlay: pynq.Overlay) -> Any:
    return overlay.first_exit


@pytest.fixture
def run(device: SimulatedDevice, overlay: pynq.Overlay, model: Model) -> Callable[..., Batch]:
    """Run a batch of ``announced`` images on ``sent`` bytes, with pynq's DMA driver."""

    def run_batch(
        sent: npt.NDArray[np.uint8], announced: int, features: bool = False, margin: int = spec.FEATURES_ALWAYS
    ) -> Batch:
        bytes_each = model.spec.output_bytes(features)
        buffer = device.allocate(sent.size, np.uint8)
        buffer[:] = sent.reshape(-1)
        results = device.allocate((announced, bytes_each), np.uint8)
        kernel, dma = overlay.first_exit, overlay.axi_dma
        kernel.write(REGISTER_OFFSET["num_images"], announced)
        kernel.write(REGISTER_OFFSET["mode"], spec.MODE_FEATURES if features else 0)
        kernel.write(REGISTER_OFFSET["feature_margin"], margin)
        dma.recvchannel.transfer(results)
        kernel.write(REGISTER_OFFSET["CTRL"], spec.CTRL_START)
        dma.sendchannel.transfer(buffer)
        dma.sendchannel.wait()
        dma.recvchannel.wait()
        assert dma.recvchannel.transferred == results.nbytes
        rows = np.array(results)
        return Batch(
            rows[:, RECORD.itemsize :][:, : model.spec.feature_bytes],
            np.ascontiguousarray(rows[:, : RECORD.itemsize]).view(RECORD)[:, 0],
            {name: kernel.read(REGISTER_OFFSET[name]) for name in OUTPUTS},
        )

    return run_batch


# Registers -----------------------------------------------------------------------------------------------------------


def test_every_register_reads_zero_before_the_first_run_but_for_idle(kernel: Any) -> None:
    for register in spec.REGISTERS:
        assert kernel.read(register.offset) == (spec.CTRL_IDLE if register.name == "CTRL" else 0), register.name


def test_an_empty_batch_publishes_the_identity_and_touches_no_stream(
    device: SimulatedDevice, kernel: Any, model: Model
) -> None:
    kernel.write(REGISTER_OFFSET["CTRL"], spec.CTRL_START)
    read = {name: kernel.read(REGISTER_OFFSET[name]) for name in OUTPUTS}
    assert read == {
        "magic": spec.MAGIC,
        "version": spec.INTERFACE_VERSION,
        "build_id": model.build_id,
        "images_done": 0,
        "error_flags": 0,
        "images_crc": 0,
        "results_crc": 0,
    }
    assert device.fabric_clocks == spec.START_CLOCKS


def test_done_and_ready_are_cleared_when_they_are_read(kernel: Any) -> None:
    kernel.write(REGISTER_OFFSET["CTRL"], spec.CTRL_START)
    assert kernel.read(0) == spec.CTRL_DONE | spec.CTRL_IDLE | spec.CTRL_READY
    assert kernel.read(0) == spec.CTRL_IDLE


def test_start_stays_set_and_idle_clear_while_the_kernel_runs(kernel: Any) -> None:
    kernel.write(REGISTER_OFFSET["num_images"], 1)
    kernel.write(REGISTER_OFFSET["CTRL"], spec.CTRL_START)
    assert kernel.read(0) == spec.CTRL_START
    kernel.write(REGISTER_OFFSET["CTRL"], 0)
    assert kernel.read(0) == spec.CTRL_START, "software cannot clear ap_start"


def test_a_run_takes_the_registers_as_they_were_when_it_was_started(
    run: Callable[..., Batch], kernel: Any, overlay: pynq.Overlay, device: SimulatedDevice, images: Any
) -> None:
    kernel.write(REGISTER_OFFSET["num_images"], 1)
    kernel.write(REGISTER_OFFSET["CTRL"], spec.CTRL_START)
    kernel.write(REGISTER_OFFSET["num_images"], 7)
    results, sent = device.allocate(64 * 24, np.uint8), device.allocate(spec.IMAGE_PIXELS, np.uint8)
    overlay.axi_dma.recvchannel.transfer(results)
    overlay.axi_dma.sendchannel.transfer(sent)
    overlay.axi_dma.recvchannel.wait()
    assert overlay.axi_dma.recvchannel.transferred == spec.RESULT_BYTES


@pytest.mark.parametrize("name", OUTPUTS)
def test_a_valid_bit_follows_each_output_and_is_cleared_when_it_is_read(kernel: Any, name: str) -> None:
    assert kernel.read(REGISTER_OFFSET[name] + 4) == 0
    kernel.write(REGISTER_OFFSET["CTRL"], spec.CTRL_START)
    assert [kernel.read(REGISTER_OFFSET[name] + 4) for _ in range(2)] == [1, 0]


@pytest.mark.parametrize("name", OUTPUTS)
def test_an_output_cannot_be_written(kernel: Any, name: str) -> None:
    kernel.write(REGISTER_OFFSET[name], 0x1234)
    assert kernel.read(REGISTER_OFFSET[name]) == 0


def test_the_registers_repeat_above_their_eight_address_bits(kernel: Any) -> None:
    kernel.write(REGISTER_OFFSET["num_images"] + 0x100, 5)
    assert kernel.read(REGISTER_OFFSET["num_images"]) == 5


def test_the_interrupt_is_latched_when_enabled_and_toggles_on_write(kernel: Any, overlay: pynq.Overlay) -> None:
    line = overlay.interrupt_pins["first_exit/interrupt"]["index"]
    controller = overlay.interrupt_controller
    controller.write(MER, MER_MASTER_ENABLE | MER_HARDWARE_ENABLE)

    def level() -> int:
        controller.write(0x0C, 1 << line)
        return int(controller.read(0x00)) >> line & 1

    kernel.write(REGISTER_OFFSET["CTRL"], spec.CTRL_START)
    assert kernel.read(REGISTER_OFFSET["IP_ISR"]) == 0
    kernel.write(REGISTER_OFFSET["IP_IER"], 0b01)
    kernel.write(REGISTER_OFFSET["CTRL"], spec.CTRL_START)
    assert kernel.read(REGISTER_OFFSET["IP_ISR"]) == 0b01
    assert level() == 0, "the global enable is off"
    kernel.write(REGISTER_OFFSET["GIER"], 1)
    assert level() == 1
    kernel.write(REGISTER_OFFSET["IP_ISR"], 0b01)
    assert (kernel.read(REGISTER_OFFSET["IP_ISR"]), level()) == (0, 0)
    kernel.write(REGISTER_OFFSET["IP_ISR"], 0b10)
    assert (kernel.read(REGISTER_OFFSET["IP_ISR"]), level()) == (0b10, 1), "software may raise it by the same toggle"


def test_the_register_map_has_the_registers_by_name(kernel: Any, model: Model) -> None:
    registers = kernel.register_map
    registers.num_images = 0
    registers.CTRL.AP_START = 1
    assert int(registers.build_id) == model.build_id
    assert int(registers.CTRL.AP_IDLE) == 1


# Batches -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("features", [False, True], ids=["logits", "features"])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_batch_brings_a_record_for_each_image(
    run: Callable[..., Batch], model: Model, images: Callable[[int], Images], count: int, features: bool
) -> None:
    sent = images(count)
    batch = run(sent, count, features)
    expected_features, expected_logits = fabric.first_exit(sent, model)
    np.testing.assert_array_equal(batch.records["logits"], expected_logits)
    assert batch.records["sequence"].tolist() == list(range(count))
    assert batch.records["flags"].tolist() == [spec.RESULT_FEATURES if features else 0] * count
    assert batch.registers["images_crc"] == zlib.crc32(sent.tobytes())
    assert (batch.registers["images_done"], batch.registers["error_flags"]) == (count, 0)
    if features:
        np.testing.assert_array_equal(fabric.unpack_features(batch.features, model), expected_features)


def test_batches_follow_each_other(run: Callable[..., Batch], model: Model, images: Callable[[int], Images]) -> None:
    for count in (3, 1, 4):
        sent = images(count)
        np.testing.assert_array_equal(run(sent, count).records["logits"], fabric.first_exit(sent, model)[1])


@pytest.mark.parametrize(
    ("beats", "whole"),
    [(1, 0), (spec.DEFAULT.image_beats - 1, 0), (spec.DEFAULT.image_beats, 1), (spec.DEFAULT.image_beats + 1, 1)],
)
def test_a_short_batch_is_finished_with_zeros_and_flagged(
    run: Callable[..., Batch], model: Model, images: Callable[[int], Images], beats: int, whole: int
) -> None:
    count, sent = 3, images(3)
    sent.reshape(-1)[beats * model.spec.beat_bytes :] = 0
    batch = run(sent.reshape(-1)[: beats * model.spec.beat_bytes], count)
    np.testing.assert_array_equal(batch.records["logits"], fabric.first_exit(sent, model)[1])
    assert batch.records["flags"].tolist() == [0] * whole + [spec.RESULT_TRUNCATED] * (count - whole)
    assert batch.records["sequence"].tolist() == [0, 1, 2]
    assert batch.registers["images_done"] == whole
    assert batch.registers["error_flags"] == spec.ERROR_SHORT_BATCH


@pytest.mark.parametrize("surplus", [1, spec.DEFAULT.image_beats])
def test_the_surplus_of_a_long_batch_is_dropped_and_reported(
    run: Callable[..., Batch], model: Model, images: Callable[[int], Images], surplus: int
) -> None:
    sent = images(4)
    batch = run(sent.reshape(-1)[: 2 * spec.IMAGE_PIXELS + surplus * model.spec.beat_bytes], 2)
    np.testing.assert_array_equal(batch.records["logits"], fabric.first_exit(sent[:2], model)[1])
    assert not batch.records["flags"].any()
    assert batch.registers["images_done"] == 2
    assert batch.registers["error_flags"] == spec.ERROR_LONG_BATCH
    after = run(sent, 4)
    np.testing.assert_array_equal(after.records["logits"], fabric.first_exit(sent, model)[1])
    assert after.registers["error_flags"] == 0


def test_the_fabrics_clocks_are_counted_and_never_more_than_the_rate_rule_gives(
    device: SimulatedDevice, run: Callable[..., Batch], model: Model, images: Callable[[int], Images]
) -> None:
    counts = []
    for count in (3, 1, 3):
        before = device.fabric_clocks
        run(images(count), count)
        counts.append(device.fabric_clocks - before)
    assert counts[0] == counts[2] == counts[1] + 2 * model.spec.image_beats
    assert model.spec.image_beats < counts[1] <= spec.batch_clocks(model.spec, 1)


def test_a_stream_of_32_bits_brings_the_same(
    random_model: Callable[..., Model], images: Callable[[int], Images]
) -> None:
    narrow = random_model(seed=0, model_spec=spec.Spec(pixels_per_beat=4))
    sent = images(2)
    with SimulatedDevice(narrow, kernel="numpy") as device:
        overlay = pynq.Overlay(device.bitfile, device=device)
        buffer, results = device.allocate(sent.size, np.uint8), device.allocate((2, spec.RESULT_BYTES), np.uint8)
        buffer[:] = sent.reshape(-1)
        overlay.axi_dma.recvchannel.transfer(results)
        overlay.first_exit.write(REGISTER_OFFSET["num_images"], 2)
        overlay.first_exit.write(REGISTER_OFFSET["CTRL"], spec.CTRL_START)
        overlay.axi_dma.sendchannel.transfer(buffer)
        overlay.axi_dma.recvchannel.wait()
        records = np.ascontiguousarray(results).view(RECORD)[:, 0]
        np.testing.assert_array_equal(records["logits"], fabric.first_exit(sent, narrow)[1])
