"""Images that are written in place: the same answers without a copy, and a slot that is used wrongly is refused."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from pynq_ee import EarlyExitInference
from pynq_ee.errors import DeviceError, InputError
from pynq_ee.network.weights import Model
from pynq_ee.sim import SimulatedDevice

SIZE = 8
BATCHES = 5


@pytest.fixture(scope="module")
def model(random_model: Callable[..., Model]) -> Model:
    return random_model(seed=21)


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(8).integers(0, 256, (SIZE * BATCHES, 28, 28)).astype(np.uint8)


@pytest.fixture(params=["at once", "with time of its own", "software"])
def network(request: pytest.FixtureRequest, model: Model) -> Iterator[EarlyExitInference]:
    options = {"images_per_transfer": SIZE, "threshold": 1.0, "threads": 2}
    if request.param == "software":
        with EarlyExitInference(model, device="software", **options) as found:
            yield found
    else:
        pace = None if request.param == "at once" else 1.0
        with (
            SimulatedDevice(model, kernel="numpy", pace=pace) as device,
            EarlyExitInference(model, device=device, verify="all" if pace else "results", **options) as found,
        ):
            yield found


def camera(network: EarlyExitInference, images: np.ndarray, slots: int = 2) -> Iterator[np.ndarray]:
    """Writes images into slots in turn, as a camera does."""
    with network.slot(SIZE) as one, network.slot(SIZE) as other:
        for batch, slot in zip(images.reshape(-1, SIZE, 28, 28), itertools.cycle((one, other)[:slots])):
            slot[:] = batch
            yield slot


def copies(network: EarlyExitInference, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Batches that are copied from now on, by their images."""
    found: list[int] = []
    if network.board:
        for slot in network.accelerator.slots:
            original = slot.fill

            def fill(images: np.ndarray, *rest: object, original: Callable = original) -> None:
                found.append(len(images))
                original(images, *rest)

            monkeypatch.setattr(slot, "fill", fill)
    return found


def test_images_in_a_slot_are_classified_without_a_copy(
    network: EarlyExitInference, images: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = network.classify(images[:SIZE])
    copied = copies(network, monkeypatch)
    with network.slot(SIZE) as slot:
        assert slot.shape == (SIZE, 28, 28) and slot.dtype == np.uint8 and slot.flags.writeable
        slot[:] = images[:SIZE]
        assert network.classify(slot) == expected
        assert network.classify(slot[:3]) == expected[:3], "the first ones of a slot"
        assert asyncio.run(network.classify_async(slot)) == expected
        assert copied == []
        assert network.classify(slot[2:]) == expected[2:], "others are copied as any array"
        assert network.classify(slot[::-1]) == expected[::-1]
        assert network.classify(slot[::2]) == expected[::2]
    assert network.classify(images[:SIZE]) == expected


@pytest.mark.parametrize(("options", "cleaned"), [({}, 0), ({"cacheable": True}, 1), ({"verify": "all"}, 1)])
def test_images_are_cleaned_from_the_cache_where_that_may_hold_them(
    model: Model, images: np.ndarray, options: dict[str, object], cleaned: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[int] = []
    with (
        SimulatedDevice(model, kernel="numpy") as device,
        EarlyExitInference(model, device=device, verify=str(options.get("verify", "results"))) as network,
        network.slot(SIZE, cacheable=bool(options.get("cacheable"))) as slot,
    ):
        expected = network.classify(images[:SIZE])
        flush = device.flush
        monkeypatch.setattr(device, "flush", lambda *arguments: (flushed.append(arguments[-1]), flush(*arguments)))
        slot[:] = images[:SIZE]
        assert network.classify(slot) == expected
    assert flushed == [slot.nbytes] * cleaned


def test_a_stream_of_two_slots_in_turn_gives_what_copies_give(
    network: EarlyExitInference, images: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = network.classify(images)
    copied = copies(network, monkeypatch)
    found = list(network.stream(camera(network, images), batch=SIZE))
    assert len(found) == BATCHES and copied == []
    for number, prediction in enumerate(found):
        assert prediction == expected[number * SIZE : (number + 1) * SIZE]


def test_one_slot_alone_is_refused_in_a_stream_that_overlaps_and_not_in_one_that_does_not(
    network: EarlyExitInference, images: np.ndarray
) -> None:
    expected = network.classify(images)
    with pytest.raises(InputError, match="take two slots and fill them in turn"):
        list(network.stream(camera(network, images, slots=1), batch=SIZE))
    assert network.classify(images) == expected
    found = list(network.stream(camera(network, images, slots=1), batch=SIZE, overlap=False))
    assert np.array_equal(np.concatenate([each.logits for each in found]), expected.logits)


def test_whoever_comes_between_two_batches_of_a_slot_changes_nothing(
    network: EarlyExitInference, images: np.ndarray
) -> None:
    expected = network.classify(images)
    for number, prediction in enumerate(network.stream(camera(network, images), batch=SIZE)):
        assert prediction == expected[number * SIZE : (number + 1) * SIZE]
        assert network.classify(images[::-1]) == expected[::-1]


def test_slots_of_several_sizes_may_be_taken_at_once_and_one_that_is_not_given_costs_nothing(
    network: EarlyExitInference, images: np.ndarray
) -> None:
    expected = network.classify(images[:SIZE])
    with network.slot(1) as small, network.slot(SIZE) as large, network.slot(SIZE):
        small[:], large[:] = images[1], images[:SIZE]
        assert network.classify(large) == expected and network.classify(small) == expected[1:2]
        assert not np.shares_memory(small, large)
    assert network.classify(images[:SIZE]) == expected


@pytest.mark.parametrize("count", [0, -1, SIZE + 1, 1.5, "8"])
def test_a_slot_of_a_number_that_cannot_be_is_refused(network: EarlyExitInference, count: object) -> None:
    with pytest.raises(InputError, match="images is"), network.slot(count):  # type: ignore[arg-type]
        pass


@pytest.mark.parametrize("count", [np.int64(1), True])
def test_a_number_of_another_kind_is_taken_for_what_it_is(network: EarlyExitInference, count: object) -> None:
    with network.slot(count) as slot:  # type: ignore[arg-type]
        assert slot.shape == (1, 28, 28)


def test_an_exception_in_the_block_gives_the_slot_back(network: EarlyExitInference, images: np.ndarray) -> None:
    expected = network.classify(images[:SIZE])
    with pytest.raises(ZeroDivisionError), network.slot(SIZE) as slot:
        slot[:] = images[:SIZE]
        raise ZeroDivisionError
    assert not network._first_exit._lent
    assert network.classify(slot) == expected, "afterwards it is an array as any"


def test_a_closed_network_lends_nothing_and_a_slot_may_outlive_it(network: EarlyExitInference) -> None:
    with network.slot(SIZE) as slot:
        network.close()
        slot[:] = 0
        with pytest.raises(DeviceError, match="closed"):
            network.classify(slot)
    with pytest.raises(DeviceError, match="closed"), network.slot(1):
        pass


def test_threads_have_slots_of_their_own(network: EarlyExitInference, images: np.ndarray) -> None:
    expected = network.classify(images)
    found: dict[int, bool] = {}

    def work(number: int) -> None:
        rows = slice(number * SIZE, (number + 1) * SIZE)
        with network.slot(SIZE) as slot:
            for _ in range(4):
                slot[:] = images[rows]
                found[number] = found.get(number, True) and network.classify(slot) == expected[rows]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {0: True, 1: True, 2: True}


def test_a_slot_that_the_memory_does_not_hold_is_refused_and_memory_is_free_after_the_block(model: Model) -> None:
    with (
        SimulatedDevice(model, kernel="numpy") as device,
        EarlyExitInference(model, device=device, images_per_transfer=SIZE) as network,
    ):
        before = device.live_buffers
        with network.slot(SIZE) as slot:
            assert device.live_buffers == before + 2
        del slot
        assert device.live_buffers == before

        def full(*_: object, **__: object) -> None:
            raise RuntimeError("no more memory")

        device.allocate = full  # type: ignore[method-assign]
        with pytest.raises(DeviceError, match=r"no contiguous memory for a slot of 8 images .*ask for a slot of fewer"):
            network.slot(SIZE).__enter__()


def test_a_batch_of_a_slot_that_is_given_back_meanwhile_is_finished(
    network: EarlyExitInference, images: np.ndarray
) -> None:
    """As the last one of a camera, which has stopped by then."""
    expected = network.classify(images[:SIZE])
    (found,) = network.stream(camera(network, images[:SIZE]), batch=SIZE)
    assert found == expected and not network._first_exit._lent
