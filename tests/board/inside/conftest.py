"""The board, switched on, and its overlay where an installation has it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pynq
import pytest
from pynq.pl_server.device import Device

import models
from board.box.machine import Machine
from board.box.plugin import BOARD, machine
from installations import ROOT
from pynq_ee.driver import bitfiles
from pynq_ee.network import spec
from pynq_ee.network.weights import Model
from pynq_ee.sim import SimulatedDevice


@pytest.fixture
def model() -> Model:
    return models.random_model(3)


def forget_devices() -> None:
    """Let pynq look for its devices and their clocks anew, as a process that begins does."""
    for owner, names in ((Device, ("_devices", "_active_device")), (pynq.Clocks, ("_real_instance",))):
        for name in names:
            if name in vars(owner):
                delattr(owner, name)
    if hasattr(pynq.Clocks, "set_device"):
        pynq.Clocks.set_device(None)


@pytest.fixture
def overlay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the ``.bit`` of the board lies, once there is one."""
    (tmp_path / "overlay").mkdir()
    monkeypatch.setattr(bitfiles, "OVERLAY_FOLDERS", (tmp_path / "overlay",))
    return tmp_path / "overlay" / "first_exit.bit"


@pytest.fixture
def published(overlay: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The open overlay of the repository, and no other: its ``.bit`` in a cache of its own, as a user's unpacks it."""
    monkeypatch.setenv("PYNQ_EE_CACHE", str(tmp_path / "cache"))
    shutil.copytree(ROOT / "overlay" / bitfiles.OPEN, overlay.parent / bitfiles.OPEN)
    for suffix in (".bit", ".hwh"):
        overlay.with_suffix(suffix).unlink(missing_ok=True)
    return bitfiles.find_open(spec.BOARDS[BOARD])


@pytest.fixture
def board(model: Model, overlay: Path, request: pytest.FixtureRequest) -> Iterator[Machine]:
    """The machine, with hardware to which nothing is done that a real board would punish some day.

    A parameter is the pace of the fabric.
    """
    hardware = SimulatedDevice(model, kernel="numpy", board=BOARD, pace=getattr(request, "param", None))
    machine.plug(hardware)
    for suffix in (".bit", ".hwh"):
        shutil.copy(Path(hardware.bitfile).with_suffix(suffix), overlay.with_suffix(suffix))
    forget_devices()
    yield machine
    forget_devices()
    violations = machine.unplug()
    assert not violations, violations
