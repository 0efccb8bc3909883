"""``classify_async``: over pynq's own interrupt driver and event loop, on a fabric with time of its own."""

from __future__ import annotations

import asyncio
import copy
import socket
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pynq.interrupt import _InterruptController

import patience
from pynq_ee import EarlyExitInference
from pynq_ee.driver.interrupts import Completion
from pynq_ee.errors import DeadlineError, InputError
from pynq_ee.network.weights import Model
from pynq_ee.sim import SimulatedDevice, recorded_designs
from pynq_ee.sim.kernel import Kernel, numpy_kernel

SIZE = 8
#: Stretches a batch to about a twentieth of a second, time enough for other tasks.
PACE = 5_000


@pytest.fixture(scope="module")
def model(random_model: Callable[..., Model]) -> Model:
    return random_model(seed=8)


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(9).integers(0, 256, (3 * SIZE, 28, 28)).astype(np.uint8)


@pytest.fixture(scope="module")
def expected(model: Model, images: np.ndarray) -> np.ndarray:
    with EarlyExitInference(model, device="sim-numpy", threshold=1.0) as network:
        return network.classify(images).logits


def opened(model: Model, device: SimulatedDevice, **options: Any) -> EarlyExitInference:
    options = {"images_per_transfer": SIZE, "threshold": 1.0, **options}
    return EarlyExitInference(model, device=device, **options)


@pytest.fixture
def device(model: Model) -> Iterator[SimulatedDevice]:
    with SimulatedDevice(model, kernel="numpy", pace=PACE) as found:
        yield found


@pytest.fixture
def network(model: Model, device: SimulatedDevice) -> Iterator[EarlyExitInference]:
    with opened(model, device) as found:
        yield found


def same(found: np.ndarray, wanted: np.ndarray) -> None:
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-3)


def test_it_answers_as_classify_does_over_the_interrupt(
    network: EarlyExitInference, device: SimulatedDevice, images: np.ndarray, expected: np.ndarray
) -> None:
    before = device.register_accesses
    same(asyncio.run(network.classify_async(images)).logits, expected)
    assert network.completion == "interrupt"
    assert device.register_accesses - before < 50 * 3, "registers were looked at all the time"


def test_other_tasks_run_while_the_fabric_works(network: EarlyExitInference, images: np.ndarray) -> None:
    async def main() -> int:
        others = 0
        waiting = asyncio.ensure_future(network.classify_async(images[:SIZE]))
        while not waiting.done():
            await asyncio.sleep(0)
            others += 1
        return others

    assert asyncio.run(main()) > 10


def test_a_fabric_that_is_done_at_once_starves_no_other_task(
    model: Model, images: np.ndarray, expected: np.ndarray
) -> None:
    async def main(network: EarlyExitInference) -> None:
        turns = []
        waiting = asyncio.ensure_future(network.classify_async(images))
        while not waiting.done():
            turns.append(None)
            await asyncio.sleep(0)
        same((await waiting).logits, expected)
        assert len(turns) > 3

    with SimulatedDevice(model, kernel="numpy") as device, opened(model, device) as network:
        asyncio.run(main(network))


def test_many_calls_are_served_in_the_order_in_which_they_were_made(
    model: Model, images: np.ndarray, expected: np.ndarray
) -> None:
    async def main(network: EarlyExitInference) -> list[int]:
        served: list[int] = []

        async def call(number: int) -> None:
            rows = slice(number, number + SIZE + 1)
            same((await network.classify_async(images[rows])).logits, expected[rows])
            served.append(number)

        await asyncio.gather(*(call(number) for number in range(12)))
        return served

    with SimulatedDevice(model, kernel="numpy", pace=1.0) as device, opened(model, device) as network:
        assert asyncio.run(main(network)) == list(range(12))
        assert network.accelerator.counters.batches == 24


@pytest.mark.parametrize("passes", [1, 3, 20])
def test_a_cancelled_call_leaves_a_working_network(
    network: EarlyExitInference, images: np.ndarray, expected: np.ndarray, passes: int
) -> None:
    async def main() -> None:
        call = asyncio.ensure_future(network.classify_async(images))
        behind = asyncio.ensure_future(network.classify_async(images[:SIZE]))
        for _ in range(passes):
            await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        same((await behind).logits, expected[:SIZE])
        same((await network.classify_async(images)).logits, expected)

    asyncio.run(main())
    same(network.classify(images).logits, expected)
    assert network.accelerator.counters.recoveries == 0


def test_every_event_loop_gets_its_interrupts(
    network: EarlyExitInference, images: np.ndarray, expected: np.ndarray
) -> None:
    for _ in range(2):
        same(asyncio.run(network.classify_async(images[:SIZE])).logits, expected[:SIZE])
        assert network.completion == "interrupt"
    results: list[np.ndarray] = []
    threads = [
        threading.Thread(target=lambda: results.append(asyncio.run(network.classify_async(images)).logits))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 2
    for each in results:
        same(each, expected)


def test_two_boards_have_interrupts_of_their_own(model: Model, images: np.ndarray, expected: np.ndarray) -> None:
    async def main(networks: list[EarlyExitInference]) -> None:
        for each in await asyncio.gather(*(network.classify_async(images) for network in networks)):
            same(each.logits, expected)

    with (
        SimulatedDevice(model, kernel="numpy", pace=PACE) as one,
        SimulatedDevice(model, kernel="numpy", pace=PACE, board="zcu104") as other,
        opened(model, one) as first,
        opened(model, other) as second,
    ):
        asyncio.run(main([first, second]))
        assert [first.completion, second.completion] == ["interrupt"] * 2


def test_classify_in_a_thread_and_classify_async_share_one_object(
    model: Model, images: np.ndarray, expected: np.ndarray
) -> None:
    results: list[np.ndarray] = []

    async def main(network: EarlyExitInference) -> None:
        thread = threading.Thread(target=lambda: results.extend(network.classify(images).logits for _ in range(10)))
        thread.start()
        while thread.is_alive():
            results.append((await network.classify_async(images)).logits)
        thread.join()

    with SimulatedDevice(model, kernel="numpy", pace=1.0) as device, opened(model, device) as network:
        asyncio.run(main(network))
        assert network.accelerator.counters.recoveries == 0
    assert len(results) > 10
    for each in results:
        same(each, expected)


def test_threads_that_are_always_busy_do_not_keep_a_coroutine_waiting(
    model: Model, images: np.ndarray, expected: np.ndarray
) -> None:
    enough = threading.Event()

    async def main(network: EarlyExitInference) -> None:
        for _ in range(3):
            same((await asyncio.wait_for(network.classify_async(images), patience.seconds(20))).logits, expected)

    with SimulatedDevice(model, kernel="numpy") as device, opened(model, device) as network:
        for work in (lambda: network.classify(images), lambda: list(network.stream(images, batch=SIZE))):
            enough.clear()

            def busy(work: Callable[[], Any] = work) -> None:
                while not enough.is_set():
                    work()

            threads = [threading.Thread(target=busy) for _ in range(2)]
            for thread in threads:
                thread.start()
            try:
                asyncio.run(main(network))
            finally:
                enough.set()
                for thread in threads:
                    thread.join()


def test_a_loop_in_another_thread_looks_while_the_interrupt_is_the_first_ones(
    network: EarlyExitInference, images: np.ndarray, expected: np.ndarray
) -> None:
    async def main() -> None:
        same((await network.classify_async(images)).logits, expected)
        connected = network.accelerator.completion._loop
        found = await asyncio.to_thread(lambda: asyncio.run(network.classify_async(images)))
        same(found.logits, expected)
        assert network.accelerator.completion._loop is connected is asyncio.get_running_loop()
        same((await network.classify_async(images)).logits, expected)

    asyncio.run(main())


def test_a_call_that_blocks_the_loop_between_finishes_the_batch_that_is_awaited(
    network: EarlyExitInference, images: np.ndarray, expected: np.ndarray
) -> None:
    async def main() -> None:
        waiting = asyncio.ensure_future(network.classify_async(images))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        same(network.classify(images[:3]).logits, expected[:3])
        same((await waiting).logits, expected)

    asyncio.run(main())
    assert network.accelerator.counters.batches == 4


# What goes wrong -----------------------------------------------------------------------------------------------------


def unreliable(hang: set[int], spoil: set[int]) -> Callable[[Model], Kernel]:
    """A kernel of whose runs some never end and some come back out of sequence, by their number from 0 on."""
    count = -1

    def make(model: Model) -> Kernel:
        healthy = numpy_kernel(model)

        def kernel(beats: Any, last: Any, images: int, mode: int, margin: int) -> Any:
            nonlocal count
            result = healthy(beats, last, images, mode, margin)
            if images and result is not None:
                count += 1
                if count in hang:
                    return None
                if count in spoil:
                    result.output.reshape(-1)[20] ^= 1
            return result

        return kernel

    return make


@pytest.mark.parametrize("pace", [None, 1.0], ids=["at once", "with time of its own"])
def test_a_failed_batch_is_sent_again_and_the_deadline_is_that_of_classify(
    model: Model, images: np.ndarray, expected: np.ndarray, pace: float | None
) -> None:
    kernel = unreliable(hang={1, 6, 7}, spoil={3})
    with (
        SimulatedDevice(model, kernel=kernel, pace=pace) as device,
        opened(model, device, deadline_seconds=patience.seconds(0.2)) as network,
    ):
        same(asyncio.run(network.classify_async(images)).logits, expected)
        assert network.accelerator.counters.retries == 2
        with pytest.raises(DeadlineError, match=r"did not complete within .* s"):
            asyncio.run(network.classify_async(images))
        same(asyncio.run(network.classify_async(images)).logits, expected)


def test_input_that_cannot_be_taken_is_refused_and_the_queue_goes_on(
    network: EarlyExitInference, images: np.ndarray, expected: np.ndarray
) -> None:
    async def main() -> None:
        bad, good = await asyncio.gather(
            network.classify_async(None), network.classify_async(images), return_exceptions=True
        )
        assert isinstance(bad, InputError)
        same(good.logits, expected)

    asyncio.run(main())


# Without an interrupt ------------------------------------------------------------------------------------------------


def test_an_overlay_without_the_interrupt_is_polled(model: Model, images: np.ndarray, expected: np.ndarray) -> None:
    design = copy.deepcopy(recorded_designs.load("pynq-z2", model.spec.beat_bits))
    design["nets"] = [net for net in design["nets"] if "axi_dma/s2mm_introut" not in net]
    with SimulatedDevice(model, kernel="numpy", design=design, pace=1.0) as device, opened(model, device) as network:
        same(asyncio.run(network.classify_async(images)).logits, expected)
        assert network.completion == "polling: the overlay connects no axi_dma/s2mm_introut to the processor"


def test_a_machine_without_the_uio_device_is_polled(
    model: Model, images: np.ndarray, expected: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    with SimulatedDevice(model, kernel="numpy", pace=PACE) as device, opened(model, device) as network:
        monkeypatch.setattr(_InterruptController, "_uio_devices", {})
        same(asyncio.run(network.classify_async(images)).logits, expected)
        assert network.completion.startswith("polling: pynq cannot use the interrupt here (")


def test_a_lost_interrupt_costs_no_more_than_a_heartbeat(
    model: Model, images: np.ndarray, expected: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    with SimulatedDevice(model, kernel="numpy", pace=1.0) as device, opened(model, device) as network:
        monkeypatch.setattr(device._uio, "update", lambda level: None)
        same(asyncio.run(network.classify_async(images)).logits, expected)
        assert network.accelerator.counters.retries == 0


def test_a_uio_device_that_was_opened_in_another_loop_is_read_in_this_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a board: pynq opened it when an overlay was loaded, and the loop of that time is gone."""
    board, processor = socket.socketpair()
    acknowledged = []

    class Uio:
        """pynq's UioController, with a socket for its file."""

        uio = processor
        events: tuple[Any, ...] = ()

        def add_event(self, event: Any, number: int) -> None:
            self.events += (event,)
            board.send(b"\1")

        def _uio_callback(self) -> None:
            processor.recv(4)
            for event in self.events:
                event.set()

    uio = Uio()
    pin = "axi_dma/s2mm_introut"
    device = SimpleNamespace(interrupt_pins={pin: {"controller": "", "index": 0, "raw_irq": 9}})
    monkeypatch.setattr(_InterruptController, "_uio_devices", {9: uio})
    channel: Any = SimpleNamespace(acknowledge=lambda: acknowledged.append(True))
    completion = Completion(device, device, pin, channel)
    with board, processor:
        for count in (1, 2):
            asyncio.run(completion.wait(10))
            assert len(acknowledged) == count
    assert completion.reason == ""
