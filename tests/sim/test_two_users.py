"""Two users of one board: who drives its DMA, and whose overlay is in the fabric."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pynq
import pytest
from pynq.pl_server.embedded_device import EmbeddedDevice
from pynq.pl_server.global_state import STATE_DIR

import pynq_ee
from pynq_ee import EarlyExitInference
from pynq_ee.driver import load_state, locks
from pynq_ee.driver.locks import DmaLock
from pynq_ee.errors import DeviceError, IdentityError, OverlayError
from pynq_ee.network.weights import Model
from pynq_ee.sim import SimulatedDevice
from pynq_ee.sim.kernel import numpy_kernel


@pytest.fixture(scope="module")
def model(random_model: Callable[..., Model]) -> Model:
    return random_model(seed=11)


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(2).integers(0, 256, (20, 28, 28)).astype(np.uint8)


def in_another_process(program: str, *arguments: object) -> subprocess.Popen[str]:
    """Start a Python program that may import the package."""
    command = [sys.executable, "-c", textwrap.dedent(program), *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(Path(pynq_ee.__file__).parents[1])}
    return subprocess.Popen(command, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


# One driver for one DMA ----------------------------------------------------------------------------------------------

HOLDER = """
    import sys, types
    from pynq_ee.driver.locks import DmaLock
    lock = DmaLock(types.SimpleNamespace(state_directory=sys.argv[1], tag=sys.argv[2]), int(sys.argv[3]))
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_object_of_this_process_is_refused_until_the_first_is_closed(
    model: Model, device: SimulatedDevice, images: np.ndarray
) -> None:
    with EarlyExitInference(model, device=device) as first:
        with pytest.raises(DeviceError, match=r"driven by this process: close the other EarlyExitInference first"):
            EarlyExitInference(model, device=device)
        assert len(first.classify(images)) == len(images)
        assert device.live_buffers == 4
    with EarlyExitInference(model, device=device) as second:
        assert len(second.classify(images)) == len(images)


@pytest.fixture
def device(model: Model) -> SimulatedDevice:  # type: ignore[misc]
    with SimulatedDevice(model, kernel="numpy") as found:
        yield found


def test_another_process_is_named_and_a_killed_one_holds_nothing(model: Model, device: SimulatedDevice) -> None:
    address = pynq_ee.network.spec.DEFAULT_BOARD.dma_address
    with in_another_process(HOLDER, device.state_directory, device.tag, address) as other:
        assert other.stdout and other.stdout.readline() == "held\n"
        before = device.register_accesses
        with pytest.raises(DeviceError, match=rf"driven by process {other.pid}: end its EarlyExitInference first"):
            EarlyExitInference(model, device=device)
        assert device.register_accesses == before, "the other's circuit has been disturbed"
        other.send_signal(signal.SIGKILL)
    EarlyExitInference(model, device=device).close()


def test_a_constructor_that_fails_holds_nothing(
    model: Model, random_model: Callable[..., Model], device: SimulatedDevice
) -> None:
    with pytest.raises(IdentityError):
        EarlyExitInference(random_model(seed=12), device=device)
    with pytest.raises(DeviceError, match="no contiguous memory"):
        EarlyExitInference(model, device=device, images_per_transfer=60_000)
    EarlyExitInference(model, device=device).close()


def test_simulated_boards_do_not_know_of_each_other(model: Model, device: SimulatedDevice) -> None:
    with (
        SimulatedDevice(model, kernel="numpy") as other,
        EarlyExitInference(model, device=device),
        EarlyExitInference(model, device=other),
    ):
        assert device.state_directory != other.state_directory


def test_a_fork_is_refused_and_lets_the_parent_go_on(model: Model, device: SimulatedDevice, images: np.ndarray) -> None:
    with EarlyExitInference(model, device=device) as network:
        child = os.fork()
        if child == 0:
            try:
                network.classify(images)
            except DeviceError as error:
                os._exit(7 if "forked" in str(error) else 8)
            os._exit(9)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        assert len(network.classify(images)) == len(images)
        with pytest.raises(DeviceError, match="driven by this process"):
            EarlyExitInference(model, device=device)


def test_a_fork_may_close_what_it_has_and_takes_nothing_from_the_parent(
    model: Model, device: SimulatedDevice, images: np.ndarray
) -> None:
    with EarlyExitInference(model, device="sim-numpy", images_per_transfer=4) as network:
        stream = network.stream(images, batch=4)
        next(stream)  # a batch is in the fabric
        child = os.fork()
        if child == 0:
            try:
                network.close()
            except BaseException:
                os._exit(8)
            os._exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        assert sum(map(len, stream)) == len(images) - 4
        network.reload()
        assert len(network.classify(images)) == len(images)


def test_a_fork_is_refused_and_does_not_hang_where_another_thread_was_classifying(
    model: Model, device: SimulatedDevice, images: np.ndarray
) -> None:
    with EarlyExitInference(model, device=device) as network:
        inside, done = threading.Event(), threading.Event()

        def hold() -> None:
            with network._turns.lock:
                inside.set()
                done.wait()

        thread = threading.Thread(target=hold)
        thread.start()
        inside.wait()
        child = os.fork()
        if child == 0:
            signal.alarm(20)
            try:
                network.classify(images)
            except DeviceError:
                os._exit(7)
            os._exit(9)
        done.set()
        thread.join()
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def test_the_lock_file_serves_every_user_of_the_board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "_SYSTEM_DIRECTORY", tmp_path)

    class Board:
        tag = "embedded_xrt0"

    before = os.umask(0o077)
    try:
        lock = DmaLock(Board(), 0x40400000)
    finally:
        os.umask(before)
    assert lock.path == tmp_path / "pynq_ee-embedded_xrt0-40400000.lock"
    assert stat.S_IMODE(lock.path.stat().st_mode) == 0o666
    assert lock.path.read_text() == f"{os.getpid()}\n"
    other = DmaLock(Board(), 0x40410000)
    with pytest.raises(DeviceError, match="0x40400000 is driven by this process"):
        DmaLock(Board(), 0x40400000)
    lock.release()
    lock.release()
    other.release()
    DmaLock(Board(), 0x40400000).release()


def test_without_a_place_for_locks_the_temporary_directory_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "_SYSTEM_DIRECTORY", tmp_path / "missing")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    lock = DmaLock(object(), 1)
    assert lock.path.parent == tmp_path
    lock.release()


def test_a_lock_file_that_is_a_link_or_a_folder_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "_SYSTEM_DIRECTORY", tmp_path)
    path = tmp_path / "pynq_ee-device-1.lock"
    path.symlink_to(tmp_path / "precious")
    with pytest.raises(DeviceError, match=r"pynq_ee-device-1.lock cannot be opened"):
        DmaLock(object(), 1)
    assert not (tmp_path / "precious").exists()
    path.unlink()
    path.mkdir()
    with pytest.raises(DeviceError, match=r"pynq_ee-device-1.lock cannot be opened"):
        DmaLock(object(), 1)


# Whose overlay is in the fabric --------------------------------------------------------------------------------------

LOADER = """
    import sys
    from pathlib import Path
    from pynq.pl_server import global_state
    global_state.STATE_DIR = sys.argv[1]
    state = global_state.GlobalState(bitfile_name=sys.argv[2], timestamp="2026/1/1 0:0:0 +0", active_name="another")
    global_state.save_global_state(state)
"""


def refused(network: EarlyExitInference, device: SimulatedDevice, images: np.ndarray, name: str) -> None:
    """It is noticed before a register is touched, again and again, and also when the object is closed."""
    before = device.register_accesses
    for _ in range(2):
        with pytest.raises(IdentityError, match=rf"another overlay has been loaded .*{name}.*Call reload\(\)"):
            network.classify(images)
    assert device.register_accesses == before


def test_an_overlay_that_this_process_loads_is_noticed_and_ours_can_be_loaded_again(
    model: Model, device: SimulatedDevice, images: np.ndarray
) -> None:
    with EarlyExitInference(model, device=device) as network:
        expected = network.classify(images).labels
        pynq.Overlay(device.bitfile, device=device)
        refused(network, device, images, "first_exit.bit, by this process")
        network.reload()
        np.testing.assert_array_equal(network.classify(images).labels, expected)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_overlay_that_another_process_loads_is_noticed_and_ours_can_be_loaded_again(
    model: Model, device: SimulatedDevice, images: np.ndarray
) -> None:
    """The other process writes what pynq writes there, where this board keeps it."""
    with EarlyExitInference(model, device=device) as network:
        expected = network.classify(images).labels
        with in_another_process(LOADER, device.state_directory, device.bitfile) as other:
            assert other.wait() == 0
        refused(network, device, images, "first_exit.bit, by another process")
        network.accelerator.reload()
        np.testing.assert_array_equal(network.classify(images).labels, expected)


def test_a_load_state_that_is_just_being_written_counts_and_one_that_is_removed_does_not(
    model: Model, device: SimulatedDevice, images: np.ndarray
) -> None:
    with EarlyExitInference(model, device=device) as network:
        state = Path(device.state_directory) / load_state.state_file_name()
        text = state.read_text()
        state.write_text(text[: len(text) // 2])
        refused(network, device, images, "another bitstream, by another process")
        state.write_text(text)
        assert len(network.classify(images)) == len(images)
        state.unlink()
        assert len(network.classify(images)) == len(images)


def test_a_stream_notices_it_too_and_what_was_in_the_fabric_is_not_waited_for(
    model: Model, device: SimulatedDevice, images: np.ndarray
) -> None:
    with EarlyExitInference(model, device=device) as network:
        stream = network.stream(iter(images), batch=4)
        next(stream)
        pynq.Overlay(device.bitfile, device=device)
        refused(network, device, images, "by this process")
        with pytest.raises(OverlayError, match="another overlay"):
            list(stream)


def test_closing_does_not_touch_the_other_programs_circuit(
    model: Model, device: SimulatedDevice, images: np.ndarray
) -> None:
    network = EarlyExitInference(model, device=device)
    stream = network.stream(iter(images), batch=4)
    next(stream)
    pynq.Overlay(device.bitfile, device=device)
    before = device.register_accesses
    network.close()
    assert (device.register_accesses, device.live_buffers) == (before, 0)


def test_a_reset_behind_pynq_is_noticed_by_the_build_id_and_made_up_for(
    model: Model, device: SimulatedDevice, images: np.ndarray
) -> None:
    with EarlyExitInference(model, device=device) as network:
        expected = network.classify(images).labels
        pynq.MMIO(pynq_ee.network.spec.DEFAULT_BOARD.dma_address, 0x100, device=device).write(0, 4)
        np.testing.assert_array_equal(network.classify(images).labels, expected)
        assert network.accelerator.counters.recoveries == 1


def test_another_models_circuit_behind_pynq_is_noticed_by_identity(
    model: Model, random_model: Callable[..., Model], device: SimulatedDevice, images: np.ndarray
) -> None:
    other = random_model(seed=12)
    with EarlyExitInference(model, device=device) as network:
        assert device._logic
        device._logic.accelerator.kernel = numpy_kernel(other)
        device._logic.accelerator.reset()
        with pytest.raises(IdentityError, match=rf"0x{other.build_id:08x} \(needed 0x{model.build_id:08x}\)"):
            network.classify(images)


def test_on_a_board_the_load_state_is_the_file_that_pynq_writes() -> None:
    board = EmbeddedDevice.__new__(EmbeddedDevice)
    path = load_state.state_file(board)
    assert path is not None and path.parent == Path(STATE_DIR)
    assert load_state.state_file(object()) is None
