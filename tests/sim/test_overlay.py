"""The driver against a fabric that misbehaves: every failure has one clear error, and the next batch is right."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest

import patience
from pynq_ee.driver.accelerator import Accelerator
from pynq_ee.driver.slots import Slot
from pynq_ee.errors import DeadlineError, IdentityError, InputError, OverlayError, TransferError
from pynq_ee.network import fabric, spec
from pynq_ee.sim import SimulatedDevice
from pynq_ee.sim.kernel import numpy_kernel

COUNT = 5


@pytest.fixture(scope="module")
def model(random_model):
    return random_model(seed=1)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (COUNT, 28, 28)).astype(np.uint8)


def open_accelerator(model, device, **options):
    options = {"images_per_transfer": 16, "deadline_seconds": patience.seconds(0.2), "retries": 0, **options}
    return Accelerator(model, device, device.bitfile, **options)


def run(accelerator, images):
    slot = accelerator.fill(images)
    accelerator.start(slot)
    return accelerator.finish(slot)


class Fault:
    """A kernel that spoils its next ``times`` batches by a function of the run (None: it never ends)."""

    def __init__(self, spoil, times=1):
        self.spoil, self.times = spoil, times

    def __call__(self, model):
        healthy = numpy_kernel(model)

        def kernel(beats, last, images, mode, margin):
            result = healthy(beats, last, images, mode, margin)
            if images and result is not None and self.times > 0:
                self.times -= 1
                spoiled = self.spoil(result)
                if spoiled is None:
                    return None
                # Under a checksum that is right.
                return spoiled._replace(registers={**spoiled.registers, "results_crc": zlib.crc32(spoiled.output.data)})
            return result

        return kernel


def record_of(run, image):
    """The bytes of one image's record, as a view into a run's output."""
    rows = run.output.reshape(COUNT, -1)
    return rows[image, : spec.RESULT_BYTES]


def flip_sequence(run):
    record_of(run, 3)[-4] ^= 1
    return run


def set_flag(run):
    record_of(run, 2)[-2] |= spec.RESULT_TRUNCATED
    return run


def early_last(run):
    run.output_last[len(run.output) // 2] = 1
    return run


def no_last(run):
    run.output_last[:] = 0
    doubled = np.concatenate([run.output, run.output])
    return run._replace(output=doubled, output_last=np.zeros(len(doubled), np.uint8))


def flag_error(run):
    return run._replace(registers={**run.registers, "error_flags": spec.ERROR_LONG_BATCH})


FAULTS = {
    "a result out of sequence": (flip_sequence, "sequence number"),
    "a result marked as truncated": (set_flag, "flags"),
    "a TLAST in the middle": (early_last, "bytes came"),
    "more results than the buffer holds": (no_last, "internal error"),
    "the kernel's error register": (flag_error, "error_flags"),
}


def check(accelerator, model, images):
    results = run(accelerator, images)
    features, logits = fabric.first_exit(images, model)
    np.testing.assert_array_equal(results.logits, logits)
    np.testing.assert_array_equal(
        fabric.unpack_features(results.features(np.arange(COUNT), model.spec), model), features
    )


def test_a_batch_brings_the_features_and_logits_of_the_definition(model, images):
    with SimulatedDevice(model, kernel="numpy") as device:
        accelerator = open_accelerator(model, device)
        check(accelerator, model, images)
        assert accelerator.counters.images == COUNT
        accelerator.close()


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_raised_with_its_reason_and_the_next_batch_is_right(model, images, name):
    spoil, message = FAULTS[name]
    with SimulatedDevice(model, kernel=Fault(spoil)) as device:
        accelerator = open_accelerator(model, device)
        with pytest.raises(TransferError, match=message):
            run(accelerator, images)
        check(accelerator, model, images)


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_that_does_not_come_again_is_retried_away(model, images, name):
    with SimulatedDevice(model, kernel=Fault(FAULTS[name][0])) as device:
        accelerator = open_accelerator(model, device, retries=1)
        check(accelerator, model, images)
        assert accelerator.counters.retries == 1


def test_a_kernel_that_never_ends_meets_the_deadline_with_what_is_known(model, images):
    with SimulatedDevice(model, kernel=Fault(lambda run: None)) as device:
        accelerator = open_accelerator(model, device)
        message = r"receiving results: did not complete within .* \(5 images, 0 of them whole; CTRL 0x1, .*status 0x"
        with pytest.raises(DeadlineError, match=message) as caught:
            run(accelerator, images)
        error = caught.value
        assert (error.stage, error.images_done, error.bytes_moved) == ("receiving results", 0, None)
        assert error.registers["CTRL"] == spec.CTRL_START and "receive status" in error.registers
        check(accelerator, model, images)


def test_a_bitstream_of_another_model_is_refused_with_both_identities(model, random_model, images):
    other = random_model(seed=2)
    with SimulatedDevice(other, kernel="numpy") as device:
        with pytest.raises(IdentityError) as error:
            open_accelerator(model, device)
        assert f"{model.build_id:08x}" in str(error.value)
        assert f"{other.build_id:08x}" in str(error.value)
        assert device.live_buffers == 0


def test_a_circuit_of_version_1_of_the_interface_is_refused_whatever_model_it_is_of(model):
    def of_version_1(model):
        newer = numpy_kernel(model)

        def kernel(beats, last, images, mode, margin):
            run = newer(beats, last, images, mode, margin)
            return run._replace(registers={**run.registers, "version": 1})

        return kernel

    with SimulatedDevice(model, kernel=of_version_1) as device:
        with pytest.raises(IdentityError, match=rf"version 0x0*1 \(needed 0x0*{spec.INTERFACE_VERSION:x}\)\. Load"):
            open_accelerator(model, device)
        assert device.live_buffers == 0


def test_an_interrupt_during_a_wait_leaves_a_working_overlay(model, images, monkeypatch):
    with SimulatedDevice(model, kernel="numpy") as device:
        accelerator = open_accelerator(model, device)

        def interrupt(slot):
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(accelerator, "_complete", interrupt)
            with pytest.raises(KeyboardInterrupt):
                run(accelerator, images)
        check(accelerator, model, images)


def test_a_second_batch_cannot_be_started_while_one_runs(model, images):
    with SimulatedDevice(model, kernel="numpy") as device:
        accelerator = open_accelerator(model, device)
        for slot in accelerator.slots:
            slot.fill(images)
        accelerator.start(accelerator.slots[0])
        with pytest.raises(TransferError, match="already"):
            accelerator.start(accelerator.slots[1])
        assert len(accelerator.finish(accelerator.slots[0]).logits) == COUNT


def test_an_abandoned_batch_does_not_disturb_the_next(model, images):
    with SimulatedDevice(model, kernel="numpy") as device:
        accelerator = open_accelerator(model, device)
        accelerator.slots[0].fill(images)
        accelerator.start(accelerator.slots[0])
        accelerator.abandon()
        check(accelerator, model, images)


@pytest.mark.parametrize(("verify", "accesses"), [("none", 11), ("results", 12), ("all", 13)])
def test_a_transfer_takes_few_register_accesses_and_the_next_one_waits_for_no_more_than_these(
    model, images, verify, accesses
):
    """Six to start it, four to see that it is complete and right, one for whose circuit it is, one a checksum.

    These are all that lies between two batches of the fabric: nothing is checked or copied there.
    """
    with SimulatedDevice(model, kernel="numpy") as device:
        accelerator = open_accelerator(model, device, verify=verify)
        run(accelerator, images)
        before = device.register_accesses
        run(accelerator, images)
        assert device.register_accesses - before == accesses


@pytest.mark.parametrize("fault", ["result: flipped bit in the flags", "result: flipped bit in the sequence number"])
def test_the_traceback_of_a_wrong_record_keeps_no_buffer(model, images, fault):
    with SimulatedDevice(model, kernel="numpy") as device:
        accelerator = open_accelerator(model, device)
        device.inject(fault, times=None)
        with pytest.raises(TransferError) as caught:
            run(accelerator, images)
        accelerator.close()
        assert device.live_buffers == 0, caught.traceback


def test_a_damaged_description_is_refused_before_anything_is_loaded(model):
    with SimulatedDevice(model, kernel="numpy") as device:
        description = Path(device.bitfile).with_suffix(".hwh")
        description.write_text(description.read_text().replace("PORT", "PART"))
        with pytest.raises(OverlayError, match=r"pynq cannot read the description .* of one build again"):
            open_accelerator(model, device)
        assert device.live_buffers == 0


@pytest.mark.parametrize("count", [0, 17])
def test_a_slot_takes_no_empty_batch_and_none_beyond_its_capacity(model, count):
    with SimulatedDevice(model, kernel="numpy") as device:
        open_accelerator(model, device)
        slot = Slot(model.spec, device, 16, True)
        with pytest.raises(InputError, match="1 to 16"):
            slot.fill(np.zeros((count, 28, 28), np.uint8))
