"""Every fault of the table, through the real pynq and the whole of EarlyExitInference: what is promised of it holds."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import numpy as np
import pytest

import patience
import pynq_ee
from pynq_ee import EarlyExitInference, remainder
from pynq_ee.bench.reliability import fault_table
from pynq_ee.driver import dma
from pynq_ee.driver.accelerator import VERIFY
from pynq_ee.driver.slots import IMAGES_PER_TRANSFER
from pynq_ee.errors import DeadlineError, IdentityError, InputError, PynqEEError, TransferError
from pynq_ee.network import fabric
from pynq_ee.sim import SimulatedDevice
from pynq_ee.sim.faults import ALLOCATION, FAULTS, markdown

DEADLINE = patience.seconds(0.05)
CAPACITY, COUNT = 16, 40  # three transfers, the last one shorter
TRANSFERS = 3
#: The transfer that a fault comes with: there is one before it, from which things can be left over, and one after it.
SPOILED = 2
RETRIES = 1

IN_A_BATCH = [name for name, fault in FAULTS.items() if fault.occasion != ALLOCATION]
RETRIED = [name for name in IN_A_BATCH if FAULTS[name].retried and FAULTS[name].verify != "all"]
VERIFIED = [name for name in IN_A_BATCH if FAULTS[name].verify == "all"]
DELAYED = [name for name in IN_A_BATCH if FAULTS[name].delayed]
HARMLESS = [name for name in IN_A_BATCH if FAULTS[name].error is None and name not in DELAYED]
#: Each with the least that must be verified for it to be noticed, and with less than that.
UNNOTICED = [
    (name, less)
    for name in IN_A_BATCH
    for less in ("none", "results")[: VERIFY.index(FAULTS[name].verify)]
    if FAULTS[name].otherwise != "right"
]
RIGHT_ALL_THE_SAME = [
    (name, less)
    for name in IN_A_BATCH
    for less in ("none", "results")[: VERIFY.index(FAULTS[name].verify)]
    if FAULTS[name].otherwise == "right"
]
FATAL = [name for name in IN_A_BATCH if FAULTS[name].error and not FAULTS[name].retried]


@pytest.fixture(scope="module")
def model(random_model):
    return random_model(seed=4)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(5).integers(0, 256, (COUNT, 28, 28)).astype(np.uint8)


@pytest.fixture(scope="module")
def right(model, images):
    """Logits of both exits for every image, by the definitions."""
    features, logits = fabric.first_exit(images, model)
    ((_, last),) = (stage(features) for stage in remainder.stages("numpy", model))
    return np.stack([logits, last], axis=1) * np.float32(2.0) ** np.array(model.logit_exponents, np.float32)[:, None]


@pytest.fixture
def device(model):
    with SimulatedDevice(model, kernel="numpy") as board:
        yield board


@pytest.fixture
def network(model, device, monkeypatch):
    """A network with short deadlines, and a check that it has lost no buffer when the test is over."""
    monkeypatch.setattr(dma, "RESET_SECONDS", patience.seconds(0.05))
    with open_network(model, device) as opened:
        opened.all_exits(np.zeros((COUNT, 28, 28), np.uint8))  # every buffer has been used
        before = device.live_buffers
        yield opened
        assert device.live_buffers == before
    assert device.live_buffers == 0


def open_network(model, device, **options):
    options = {
        "deadline_seconds": DEADLINE,
        "images_per_transfer": CAPACITY,
        "remainder": "numpy",
        **options,
    }
    return EarlyExitInference(model, device=device, retries=RETRIES, **options)


@contextlib.contextmanager
def counted(network, **expected):
    """Compare what the counters have counted within the block."""
    before = vars(network.accelerator.counters).copy()
    yield
    after = vars(network.accelerator.counters)
    assert {name: after[name] - before[name] for name in expected} == expected


def assert_right(network, images, right):
    """To the bit, the remainder too."""
    np.testing.assert_array_equal(network.all_exits(images), right)


@pytest.mark.parametrize("name", RETRIED)
def test_a_fault_that_comes_once_is_retried_away(network, device, images, right, name):
    with (
        device.inject(name, batch=SPOILED) as shot,
        counted(network, batches=TRANSFERS, images=COUNT, retries=1, recoveries=1),
    ):
        assert_right(network, images, right)
    assert shot.hits == 1


def error_of(function, *arguments):
    """The type of what a call raises; the error itself, whose traceback holds views of the buffers, is let go."""
    try:
        function(*arguments)
    except PynqEEError as error:
        return type(error)
    return None


@pytest.mark.parametrize("name", RETRIED)
def test_a_fault_that_comes_with_every_attempt_is_raised_and_the_next_batch_is_right(
    network, device, images, right, name
):
    done = {"batches": SPOILED - 1, "images": CAPACITY, "retries": RETRIES, "recoveries": RETRIES + 1}
    with device.inject(name, batch=SPOILED, times=None) as shot, counted(network, **done):
        assert error_of(network.classify, images) is FAULTS[name].error
    assert shot.hits >= 1 + RETRIES  # more, where the batch that follows is under way before results are looked at
    with counted(network, batches=TRANSFERS, images=COUNT, retries=0, recoveries=0):
        assert_right(network, images, right)


@pytest.mark.filterwarnings("ignore:MM2S LENGTH written:RuntimeWarning")
@pytest.mark.parametrize("name", DELAYED)
@pytest.mark.parametrize("times", [1, None])
def test_a_fault_that_shows_one_batch_later_costs_a_retry_and_nothing_else(network, device, images, right, name, times):
    with device.inject(name, batch=SPOILED, times=times), counted(network, batches=TRANSFERS, images=COUNT, retries=1):
        assert_right(network, images, right)
    assert_right(network, images, right)


@pytest.mark.parametrize("name", HARMLESS)
def test_what_is_no_fault_but_a_slow_fabric_is_waited_for(model, device, images, right, name):
    with (
        open_network(model, device, deadline_seconds=patience.seconds(2.0)) as network,
        device.inject(name, times=None) as shot,
        counted(network, batches=TRANSFERS, images=COUNT, retries=0, recoveries=0),
    ):
        assert_right(network, images, right)
    assert shot.hits == TRANSFERS


@pytest.fixture
def verifying(model, device, monkeypatch):
    """Opens a network that verifies so much, of which every buffer has been used."""
    monkeypatch.setattr(dma, "RESET_SECONDS", 0.05)
    with contextlib.ExitStack() as stack:

        def open_verifying(verify):
            network = stack.enter_context(open_network(model, device, verify=verify))
            network.all_exits(np.zeros((COUNT, 28, 28), np.uint8))
            return network

        yield open_verifying
    assert device.live_buffers == 0


@pytest.mark.parametrize("name", [*RETRIED, *VERIFIED])
def test_with_both_checksums_every_fault_is_noticed(verifying, device, images, right, name):
    network = verifying("all")
    with device.inject(name, batch=SPOILED) as shot, counted(network, batches=TRANSFERS, retries=1, recoveries=1):
        assert_right(network, images, right)
    assert shot.hits == 1
    with device.inject(name, batch=SPOILED, times=None):
        assert error_of(network.classify, images) is FAULTS[name].error
    assert_right(network, images, right)


@pytest.mark.parametrize(("name", "verify"), UNNOTICED)
def test_a_fault_that_is_not_verified_is_not_noticed_and_can_spoil_a_result(
    verifying, device, images, right, name, verify
):
    """What the documentation says of these faults is no understatement either."""
    network, spoiled = verifying(verify), []
    for seed in range(6):
        network.all_exits(images[::-1])  # other images than those that come into the same buffers now
        with device.inject(name, batch=SPOILED, seed=seed) as shot, counted(network, retries=0, recoveries=0):
            try:
                found = network.all_exits(images)
            except TransferError:  # a stale line of other flags, or of other sequence numbers
                assert name.startswith("memory")
                continue
        assert shot.hits == 1
        wrong = (found != right).any((1, 2))
        spoiled.append(wrong.any())
        assert not wrong[:CAPACITY].any() and not wrong[2 * CAPACITY :].any(), "another transfer is spoiled"
    assert any(spoiled)
    assert_right(network, images, right)


@pytest.mark.parametrize(("name", "verify"), RIGHT_ALL_THE_SAME)
def test_a_checksum_that_lies_and_is_not_looked_at_does_nothing(verifying, device, images, right, name, verify):
    network = verifying(verify)
    with device.inject(name, times=None) as shot, counted(network, batches=TRANSFERS, retries=0, recoveries=0):
        assert_right(network, images, right)
    assert shot.hits == TRANSFERS


def test_what_the_default_does_not_notice_is_a_flipped_pixel_alone():
    assert [name for name, verify in UNNOTICED if verify == "results"] == ["image stream: flipped bit"]
    assert all(VERIFY.index(fault.verify) <= VERIFY.index("all") for fault in FAULTS.values())


def test_every_fault_has_its_test():
    assert sorted([*RETRIED, *VERIFIED, *DELAYED, *HARMLESS, *FATAL, "memory: exhausted"]) == sorted(FAULTS)
    assert sorted(FATAL) == ["fabric: reprogrammed by another process", "registers: dead"]


@pytest.mark.parametrize("times", [1, None])
def test_a_circuit_of_another_process_is_refused_until_ours_is_loaded_again(network, device, images, right, times):
    with device.inject("fabric: reprogrammed by another process", batch=SPOILED, times=times):
        for _ in range(2):
            assert error_of(network.classify, images) is IdentityError
    network.reload()
    assert_right(network, images, right)


def test_a_network_opened_anew_is_right_after_a_circuit_of_another_process(model, device, images, right):
    with open_network(model, device) as network, device.inject("fabric: reprogrammed by another process"):
        assert error_of(network.classify, images) is IdentityError
    assert device.live_buffers == 0
    with open_network(model, device) as network:
        assert_right(network, images, right)


@pytest.mark.parametrize("times", [1, None])
def test_a_fabric_that_answers_nothing_is_a_deadline_and_the_next_batch_is_right_once_it_answers(
    network, device, images, right, times
):
    with device.inject("registers: dead", batch=SPOILED, times=times) as shot:
        assert error_of(network.classify, images) is DeadlineError
        assert error_of(network.classify, images) is DeadlineError
    assert shot.hits == 1
    assert_right(network, images, right)


@pytest.mark.parametrize("buffer", [1, 2, 3, 4])
def test_no_memory_for_any_one_of_the_buffers_keeps_none_of_them(model, device, images, right, buffer):
    fault = FAULTS["memory: exhausted"]
    with (
        device.inject("memory: exhausted", batch=buffer) as shot,
        pytest.raises(fault.error, match="images_per_transfer"),
    ):
        open_network(model, device)
    assert (shot.hits, device.live_buffers) == (1, 0)
    with open_network(model, device) as network:
        assert_right(network, images, right)


def test_too_little_memory_for_the_usual_batch_is_enough_for_half_of_it(model, device, images, right):
    with (
        device.inject("memory: exhausted", batch=3) as shot,
        open_network(model, device, images_per_transfer=None) as network,
    ):
        assert (shot.hits, network.accelerator.slots[0].capacity) == (1, IMAGES_PER_TRANSFER // 2)
        assert device.live_buffers == 4
        assert_right(network, images, right)


@pytest.mark.parametrize("name", RETRIED)
def test_a_stream_loses_no_prediction_to_a_fault(network, device, images, right, name):
    with device.inject(name, batch=SPOILED) as shot:
        parts = list(network.stream(iter(images), batch=8))
    assert shot.hits == 1
    whole = network.classify(images)
    np.testing.assert_array_equal(np.concatenate([part.labels for part in parts]), whole.labels)
    np.testing.assert_array_equal(np.concatenate([part.exits for part in parts]), whole.exits)


@pytest.mark.parametrize("name", [*(name for name in RETRIED if FAULTS[name].error is TransferError), "kernel: hung"])
def test_a_fabric_with_time_of_its_own_is_retried_too_when_it_is_awaited(model, images, monkeypatch, name):
    """Its batches are not complete at the first look, so deadlines are long, but for the one fault that needs it."""
    monkeypatch.setattr(dma, "RESET_SECONDS", patience.seconds(0.05))
    deadline = patience.seconds(1.0 if FAULTS[name].error is DeadlineError else 10.0)
    with SimulatedDevice(model, kernel="numpy", pace=1.0) as device:
        with open_network(model, device, deadline_seconds=deadline) as network:
            whole = network.classify(images)
            network.classify(images[::-1])  # other results than those that come into the same buffers now
            with device.inject(name, batch=SPOILED) as shot, counted(network, images=COUNT, retries=1):
                found = asyncio.run(network.classify_async(images))
        assert (shot.hits, device.live_buffers) == (1, 0)
    np.testing.assert_array_equal(found.labels, whole.labels)
    np.testing.assert_array_equal(found.exits, whole.exits)


@pytest.mark.parametrize("features", [True, False])
@pytest.mark.parametrize("name", RETRIED)
def test_a_batch_of_one_image_is_no_special_case(model, device, images, right, monkeypatch, name, features):
    monkeypatch.setattr(dma, "RESET_SECONDS", patience.seconds(0.05))
    with (
        open_network(model, device, features=features) as network,
        device.inject(name) as shot,
        counted(network, batches=1, images=1, retries=1, recoveries=1),
    ):
        assert_right(network, images[:1], right[:1])
    assert shot.hits == 1


def test_two_faults_at_once_are_one_retry(network, device, images, right):
    names = ("result stream: lost beat", "image stream: repeated beat")
    with contextlib.ExitStack() as stack:
        for name in names:
            stack.enter_context(device.inject(name))
        with counted(network, retries=1):
            assert_right(network, images, right)


def test_a_seed_spoils_the_same_bytes_again(network, device, images):
    found = []
    for seed in (1, 1, 2):
        with device.inject("image stream: flipped bit", seed=seed):
            found.append(network.all_exits(images))
    np.testing.assert_array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])


def test_a_fault_that_is_removed_does_not_come(network, device, images):
    shot = device.inject("kernel: hung", times=None)
    shot.remove()
    shot.remove()
    with counted(network, retries=0):
        network.classify(images)
    assert shot.hits == 0


def test_a_fault_that_is_not_there_and_a_batch_before_the_first_are_refused(device):
    with pytest.raises(InputError, match=r"'kernel: asleep'; there are .*kernel: hung"):
        device.inject("kernel: asleep")
    for wrong in ({"batch": 0}, {"times": 0}):
        with pytest.raises(InputError, match="count from 1"):
            device.inject("kernel: hung", **wrong)


def test_the_page_has_the_table_of_the_code():
    page = Path(pynq_ee.__file__).parent.parent / "docs" / "reliability.md"
    assert fault_table.main([str(page), "--check"]) == 0, fault_table.COMMAND
    assert all(f"| {name} |" in markdown() for name in FAULTS)
