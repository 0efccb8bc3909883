"""A simulated board leaves the machine that it runs on alone, a board with a fabric of its own among them."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pynq
import pytest
from pynq.pl_server import global_state
from pynq.pl_server.device import Device

import machine_guard
from pynq_ee import EarlyExitInference
from pynq_ee.driver.clocks import clocks
from pynq_ee.errors import DeviceError
from pynq_ee.network import spec
from pynq_ee.network.weights import Model
from pynq_ee.sim import SimulatedDevice


class Machine:
    """The device of the board that Python runs on, as far as pynq asks before it maps registers: none may be."""

    name = "the machine itself"
    tag = "embedded_xrt0"

    def __init__(self, architecture: str) -> None:
        self.arch = architecture
        self.registers = np.full(0x400, 0x101400, np.uint32)
        self.mapped: list[str] = []

    def has_capability(self, name: str) -> bool:
        return name == "MEMORY_MAPPED"

    def mmap(self, base: int, length: int) -> Any:
        self.mapped.append(f"0x{base:x}")
        return self.registers[: length >> 2]


@pytest.fixture(params=["armv7l", "aarch64"])
def machine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    """A real board, as the machine that this runs on and as pynq's active device."""
    board = Machine(request.param)
    monkeypatch.setattr(platform, "machine", lambda: board.arch)
    monkeypatch.setattr(pynq.ps, "CPU_ARCH", board.arch)
    monkeypatch.setattr(Device, "_active_device", board, raising=False)
    for name in ("_real_instance", "device"):
        if name in vars(pynq.Clocks):
            monkeypatch.delattr(pynq.Clocks, name)
    if hasattr(pynq.Clocks, "set_device"):
        monkeypatch.setattr(pynq.Clocks, "device", None, raising=False)
    yield board


@pytest.mark.parametrize("board", ["pynq-z2", "zcu104"])
def test_a_simulated_board_on_a_board_sets_its_own_clock_and_not_the_machines(
    machine: Machine, model: Model, board: str
) -> None:
    expected = spec.BOARDS[board].clock_mhz
    with SimulatedDevice(model, kernel="numpy", board=board) as device, EarlyExitInference(model, device=device) as net:
        net.classify(np.zeros((1, 28, 28), np.uint8))
        assert net.accelerator.clock_mhz == pytest.approx(expected, rel=1e-3)
        with clocks(device) as own:
            own.fclk0_mhz = 50
        net.reload()
        with clocks(device) as own:
            assert own.fclk0_mhz == pytest.approx(expected, rel=1e-3)
    assert machine.mapped == []
    assert (machine.registers == 0x101400).all()
    assert Device.active_device is machine


@pytest.mark.parametrize("machine", ["armv7l"], indirect=True)
def test_pynqs_clocks_are_afterwards_those_that_they_were(machine: Machine, model: Model) -> None:
    machine.registers[0x170 >> 2] = 1 << 20 | 20 << 8
    machine.registers[0x108 >> 2] = 20 << 12
    assert pynq.Clocks.fclk0_mhz == 50
    with SimulatedDevice(model, kernel="numpy") as device:
        with clocks(device) as own:
            own.fclk0_mhz = 25
            assert own.fclk0_mhz == 25
        assert pynq.Clocks.fclk0_mhz == 50


def test_a_device_of_an_architecture_that_pynq_has_no_clocks_of_is_refused_by_name() -> None:
    with (
        pytest.raises(DeviceError, match="its processor is 'riscv64', not armv7l or aarch64"),
        clocks(Machine("riscv64")),
    ):
        pass


@pytest.mark.parametrize(
    "path",
    [
        "/dev/mem",
        "/dev/uio0",
        "/sys/class/fpga_manager/fpga0/flags",
        "/lib/firmware/first_exit.bin",
        str(Path(global_state.__file__).parent / "global_pl_state.json"),
        str(Path(global_state.__file__).parent / "global_pl_state_.json"),
    ],
)
def test_the_guard_notices_whoever_opens_what_is_the_machines(path: str) -> None:
    with pytest.raises(machine_guard.TouchedMachine, match=path):
        Path(path).read_bytes()
    assert machine_guard.refused
    machine_guard.refused.clear()  # it was this test's purpose


def test_the_guard_lets_everything_else_be_opened(tmp_path: Path) -> None:
    (tmp_path / "global_pl_state.json").write_text("{}")
    assert Path(__file__).read_text()
