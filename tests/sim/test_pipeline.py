"""Batches that follow each other, and callers that share one accelerator: in order, nothing lost, nothing repeated."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import patience
from pynq_ee import EarlyExitInference
from pynq_ee.errors import DeviceError, TransferError
from pynq_ee.network.weights import Model
from pynq_ee.sim import SimulatedDevice
from pynq_ee.sim.kernel import Kernel, Run, numpy_kernel

SIZE = 8
CHUNKS = 7


@pytest.fixture(scope="module")
def model(random_model: Callable[..., Model]) -> Model:
    return random_model(seed=6)


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (SIZE * CHUNKS, 28, 28)).astype(np.uint8)


@pytest.fixture(scope="module")
def expected(model: Model, images: np.ndarray) -> np.ndarray:
    with EarlyExitInference(model, device="sim-numpy", threshold=1.0) as network:
        return network.classify(images).logits


class Spoiled:
    """A kernel whose results have flipped bits in some of its runs, by the run's number from 0 on."""

    def __init__(self, runs: set[int], error_flags: int = 0) -> None:
        self.runs, self.error_flags, self.count = runs, error_flags, 0

    def __call__(self, model: Model) -> Kernel:
        healthy = numpy_kernel(model)

        def kernel(beats: Any, last: Any, images: int, mode: int, margin: int) -> Run | None:
            result = healthy(beats, last, images, mode, margin)
            if images and result is not None:
                if self.count in self.runs:
                    if self.error_flags:
                        result.registers["error_flags"] = self.error_flags
                    else:
                        result.output[len(result.output) // 2] ^= 1
                self.count += 1
            return result

        return kernel


def opened(model: Model, device: SimulatedDevice, **options: Any) -> EarlyExitInference:
    options = {"images_per_transfer": SIZE, "threshold": 1.0, "threads": 2, **options}
    options = {"deadline_seconds": patience.seconds(0.3), **options}
    return EarlyExitInference(model, device=device, **options)


def close(found: np.ndarray, wanted: np.ndarray) -> None:
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-3)


# A batch that turns out wrong when the next one runs -----------------------------------------------------------------


@pytest.mark.parametrize("error_flags", [0, 1], ids=["a wrong record", "an error flag"])
@pytest.mark.parametrize("pace", [None, 1.0], ids=["at once", "with time of its own"])
@pytest.mark.parametrize("wrong", [0, 1, CHUNKS - 2, CHUNKS - 1])
def test_a_wrong_batch_and_the_one_after_it_are_sent_again_in_order(
    model: Model, images: np.ndarray, expected: np.ndarray, wrong: int, pace: float | None, error_flags: int
) -> None:
    with (
        SimulatedDevice(model, kernel=Spoiled({wrong}, error_flags), pace=pace) as device,
        opened(model, device) as network,
    ):
        close(network.classify(images).logits, expected)
        counters = network.accelerator.counters
        assert (counters.batches, counters.images, counters.retries) == (CHUNKS, len(images), 1)


def test_every_batch_may_fail_once_and_even_when_it_is_sent_again_after_its_successor_failed(
    model: Model, images: np.ndarray, expected: np.ndarray
) -> None:
    with (
        SimulatedDevice(model, kernel=Spoiled(set(range(0, 400, 3)))) as device,
        opened(model, device, retries=3) as network,
    ):
        close(network.classify(images).logits, expected)
        assert network.accelerator.counters.batches == CHUNKS


def test_without_a_retry_left_the_error_is_raised_and_the_next_call_is_right(
    model: Model, images: np.ndarray, expected: np.ndarray
) -> None:
    with (
        SimulatedDevice(model, kernel=Spoiled({2, 3, 4})) as device,
        opened(model, device, retries=0) as network,
    ):
        with pytest.raises(TransferError, match="checksum"):
            network.classify(images)
        with pytest.raises(TransferError, match="checksum"):
            network.classify(images[:SIZE])
        close(network.classify(images[SIZE:]).logits, expected[SIZE:])


@pytest.mark.parametrize("where", ["fill", "start", "advance", "collect"])
def test_an_interrupt_anywhere_leaves_a_working_network(
    model: Model, images: np.ndarray, expected: np.ndarray, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with SimulatedDevice(model, kernel="numpy") as device, opened(model, device) as network:
        point = {"fill": "_circuit.check_loaded", "start": "_circuit.start_kernel", "advance": "_complete"}.get(where)
        calls = 0

        def interrupted(*arguments: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == 3:
                raise KeyboardInterrupt
            return original(*arguments)

        owner, _, name = (point or "slots.read").rpartition(".")
        holder = network.accelerator
        for part in owner.split(".") if owner else ():
            holder = holder.slots[0] if part == "slots" else getattr(holder, part)  # type: ignore[assignment]
        original = getattr(holder, name)
        with monkeypatch.context() as patch:
            patch.setattr(holder, name, interrupted)
            with pytest.raises(KeyboardInterrupt):
                network.classify(images)
        close(network.classify(images).logits, expected)


def test_an_interrupted_recovery_is_made_up_for_before_the_next_batch(
    model: Model, images: np.ndarray, expected: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with SimulatedDevice(model, kernel=Spoiled({1})) as device, opened(model, device) as network:
        with monkeypatch.context() as patch:
            patch.setattr(network.accelerator._dma, "reset", interrupt)
            with pytest.raises(KeyboardInterrupt):
                network.classify(images)
        close(network.classify(images).logits, expected)


# Several callers -----------------------------------------------------------------------------------------------------


@pytest.fixture(params=[None, 1.0, "software"], ids=["at once", "with time of its own", "software"])
def network(request: pytest.FixtureRequest, model: Model) -> Iterator[EarlyExitInference]:
    if request.param == "software":
        with EarlyExitInference(model, device="software", images_per_transfer=SIZE, threshold=1.0, threads=2) as found:
            yield found
    else:
        with SimulatedDevice(model, kernel="numpy", pace=request.param) as device, opened(model, device) as found:
            yield found


def test_two_threads_may_classify_with_one_object(
    network: EarlyExitInference, images: np.ndarray, expected: np.ndarray
) -> None:
    found: dict[int, list[np.ndarray]] = {0: [], 1: []}

    def work(number: int) -> None:
        order = images if number else images[::-1]
        for _ in range(4):
            found[number].append(network.classify(order).logits)

    threads = [threading.Thread(target=work, args=(number,)) for number in found]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, logits in found.items():
        assert len(logits) == 4
        for each in logits:
            close(each, expected if number else expected[::-1])
    if network.board:
        assert network.accelerator.counters.recoveries == 0


def test_streams_and_calls_may_take_turns_and_no_batch_is_computed_twice(
    network: EarlyExitInference, images: np.ndarray, expected: np.ndarray
) -> None:
    one = network.stream(iter(images), batch=SIZE)
    other = network.stream(iter(images[::-1]), batch=SIZE)
    first, second = [], []
    for each, reverse in zip(one, other):
        first.append(each.logits)
        second.append(reverse.logits)
        close(network.classify(images[:SIZE]).logits, expected[:SIZE])
    close(np.concatenate(first), expected)
    close(np.concatenate(second), expected[::-1])
    if network.board:
        counters = network.accelerator.counters
        assert (counters.batches, counters.recoveries) == (3 * CHUNKS, 0)


def test_a_stream_that_nobody_continues_blocks_nobody(
    network: EarlyExitInference, images: np.ndarray, expected: np.ndarray
) -> None:
    left = network.stream(iter(images), batch=SIZE)
    next(left)
    results: list[np.ndarray] = []
    thread = threading.Thread(target=lambda: results.append(network.classify(images).logits))
    thread.start()
    thread.join()
    close(results[0], expected)
    close(next(left).logits, expected[SIZE : 2 * SIZE])


def test_the_source_of_a_stream_may_use_the_network_itself(
    network: EarlyExitInference, images: np.ndarray, expected: np.ndarray
) -> None:
    def source() -> Iterator[np.ndarray]:
        for image in images:
            assert len(network.classify(image)) == 1
            yield image

    close(np.concatenate([each.logits for each in network.stream(source(), batch=SIZE)]), expected)


def test_a_batch_that_failed_while_another_call_finished_it_is_raised_in_its_own_stream(
    model: Model, images: np.ndarray, expected: np.ndarray
) -> None:
    with SimulatedDevice(model, kernel=Spoiled({1})) as device, opened(model, device, retries=0) as network:
        stream = network.stream(iter(images), batch=SIZE)
        close(next(stream).logits, expected[:SIZE])
        close(network.classify(images).logits, expected)
        with pytest.raises(TransferError, match="checksum"):
            next(stream)
        close(network.classify(images).logits, expected)


def test_a_stream_of_a_closed_network_says_so(network: EarlyExitInference, images: np.ndarray) -> None:
    stream = network.stream(iter(images), batch=SIZE)
    next(stream)
    network.close()
    with pytest.raises(DeviceError, match="closed"):
        next(stream)
