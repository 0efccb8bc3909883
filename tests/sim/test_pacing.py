"""A fabric with time of its own: it overlaps with the host, and keeps every promise of the one without."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable

import numpy as np
import pytest

from pynq_ee import EarlyExitInference
from pynq_ee.driver.accelerator import Accelerator
from pynq_ee.errors import InputError
from pynq_ee.network import spec
from pynq_ee.network.weights import Model
from pynq_ee.sim import SimulatedDevice, dataflow
from pynq_ee.sim.kernel import numpy_kernel
from pynq_ee.trace import Trace

#: Stretches the six microseconds of a few images to about a tenth of a second: more than a busy machine stands still.
SLOW = 20_000
#: No slower than the kernel computes.
QUICK = 1.0


@pytest.fixture(scope="module")
def model(random_model: Callable[..., Model]) -> Model:
    return random_model(seed=4)


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (40, 28, 28)).astype(np.uint8)


def fabric_threads(device: SimulatedDevice) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if device.tag in thread.name]


def test_the_answers_are_those_of_a_fabric_without_time(model: Model, images: np.ndarray) -> None:
    with EarlyExitInference(model, device="sim-numpy", images_per_transfer=16) as network:
        expected = network.classify(images)
    with (
        SimulatedDevice(model, kernel="numpy", pace=QUICK) as device,
        EarlyExitInference(model, device=device, images_per_transfer=16) as network,
    ):
        found = network.classify(images)
    for name in ("labels", "exits", "entropy", "logits"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


def test_while_the_host_is_faster_nothing_of_its_work_falls_between_two_batches_of_the_fabric(
    model: Model, images: np.ndarray
) -> None:
    """By the order of events, not by their duration: between two batches lie register accesses alone."""
    with (
        SimulatedDevice(model, kernel="numpy", pace=SLOW) as device,
        EarlyExitInference(model, device=device, images_per_transfer=8, threshold=0.0) as network,
    ):
        network.trace = trace = Trace()
        device.on_batch = trace.add_fabric
        network.classify(images)
    batches = trace.lane("fabric")
    assert len(batches) == 5
    seconds = SLOW * dataflow.batch_clocks(model.spec, 8, True) / (spec.DEFAULT_BOARD.clock_mhz * 1e6)
    assert all(batch.end - batch.begin >= seconds for batch in batches)
    work = [span for span in trace.lane("host") if span.stage != "fabric"]
    assert {span.stage for span in work} == {"input", "collect", "entropy", "remainder"}
    for begin, end in trace.gaps():
        assert not [span for span in work if span.begin < end and span.end > begin]
    for before, after in itertools.pairwise(batches):  # and the host did work while the fabric worked
        assert [span for span in work if before.end <= span.begin and span.end <= after.end]


def test_a_soft_reset_loses_the_run_and_the_next_one_is_right(model: Model, images: np.ndarray) -> None:
    with SimulatedDevice(model, kernel="numpy", pace=SLOW) as device:
        accelerator = Accelerator(model, device, device.bitfile, images_per_transfer=8)
        done = []
        device.on_batch = lambda begin, end, count: done.append(count)
        accelerator.start(accelerator.fill(images[:8]))
        accelerator.abandon()
        slot = accelerator.fill(images[8:11])
        accelerator.start(slot)
        assert len(accelerator.finish(slot).logits) == 3
        assert done == [3]
        assert len(fabric_threads(device)) == 1


def test_programming_the_fabric_while_it_works_loses_the_run(model: Model, images: np.ndarray) -> None:
    with (
        SimulatedDevice(model, kernel="numpy", pace=SLOW) as device,
        EarlyExitInference(model, device=device, images_per_transfer=8) as network,
    ):
        accelerator = network.accelerator
        accelerator.start(accelerator.fill(images[:8]))
        network.reload()
        assert len(network.classify(images[:3])) == 3
        assert len(fabric_threads(device)) == 1


def test_closing_ends_the_thread_whatever_it_does(model: Model, images: np.ndarray) -> None:
    device = SimulatedDevice(model, kernel="numpy", pace=1e9)
    accelerator = Accelerator(model, device, device.bitfile, images_per_transfer=8)
    accelerator.start(accelerator.fill(images[:8]))
    assert fabric_threads(device)
    device.close()
    device.close()
    assert not fabric_threads(device)


def test_a_board_that_was_never_programmed_has_no_thread(model: Model) -> None:
    with SimulatedDevice(model, kernel="numpy", pace=1.0) as device:
        assert not fabric_threads(device)
    assert not fabric_threads(device)


def test_what_goes_wrong_in_the_kernel_is_raised_in_the_host_and_leaves_no_thread(
    model: Model, images: np.ndarray
) -> None:
    def failing(model: Model) -> object:
        healthy = numpy_kernel(model)

        def kernel(beats, last, count, mode, margin):  # type: ignore[no-untyped-def]
            if count == 3:
                raise ZeroDivisionError("in the kernel")
            return healthy(beats, last, count, mode, margin)

        return kernel

    with (
        SimulatedDevice(model, kernel=failing, pace=QUICK) as device,
        EarlyExitInference(model, device=device, images_per_transfer=8) as network,
    ):
        with pytest.raises(ZeroDivisionError, match="in the kernel"):
            network.classify(images[:3])
        assert len(network.classify(images[:4])) == 4
    assert not fabric_threads(device)


@pytest.mark.parametrize("pace", [0, -1.0, float("nan"), float("inf")])
def test_a_pace_is_finite_and_more_than_zero(model: Model, pace: float) -> None:
    with pytest.raises(InputError, match="it must be finite and more than 0"):
        SimulatedDevice(model, kernel="numpy", pace=pace)


def test_without_a_pace_there_are_no_batches_to_listen_to(model: Model) -> None:
    with SimulatedDevice(model, kernel="numpy") as device, pytest.raises(InputError, match=r"pace=1\.0"):
        device.on_batch = print
