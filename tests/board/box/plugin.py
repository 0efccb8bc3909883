"""pytest's side of the box: ``PYTHONPATH=tests python -m pytest -p board.box.plugin tests/sim/test_inference.py``.

The whole process then runs on a board in a box. A test that makes a ``SimulatedDevice`` is given pynq's own device
instead, on hardware made with the same options; a simulated board asked for by name is still a simulated one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import pytest

from board.box import machine as _machine

#: pynq 4.0 supports no Zynq-7000, and 3.x is what its boards carry.
_ZYNQ7, _ZYNQMP = ("zynq7", "Pynq-Z2"), ("zynqmp", "ZCU104")

machine = _machine.install(*(_ZYNQ7 if int(version("pynq").split(".")[0]) < 4 else _ZYNQMP))


#: The board's name in the spec.
BOARD = "pynq-z2" if machine.processor == "zynq7" else "zcu104"


def boxed_device() -> Any:
    """The class that stands where tests name ``SimulatedDevice``: pynq's device, with handles for tests and no more."""
    from pynq.pl_server.embedded_device import EmbeddedDevice

    from pynq_ee.sim import SimulatedDevice

    class BoxedDevice(EmbeddedDevice):  # type: ignore[misc]
        """Nothing of pynq's is overridden; what is added is not of pynq's."""

        def __init__(self, model: Any, kernel: Any = "hls", **options: Any) -> None:
            hardware = SimulatedDevice(model, kernel, **{"board": BOARD, **options})
            machine.plug(hardware)
            try:
                asyncio.get_event_loop()
            except RuntimeError:  # a test has closed it; a board's device is made before
                asyncio.set_event_loop(asyncio.new_event_loop())
            super().__init__()
            self.hardware = hardware

        def __getattr__(self, name: str) -> Any:
            if name in _HANDLES:
                return getattr(self.hardware, name)
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

        def __setattr__(self, name: str, value: Any) -> None:
            if name == "on_batch":
                self.hardware.on_batch = value
            else:
                super().__setattr__(name, value)

        def __enter__(self) -> Any:
            return self

        def __exit__(self, *exception: object) -> None:
            violations = machine.unplug()
            if exception[0] is None:
                assert not violations, violations

    return BoxedDevice


#: What tests ask of the hardware by way of the device.
_HANDLES = frozenset({
    "bitfile", "inject", "live_buffers", "allocated_bytes", "register_accesses", "register_reads", "register_writes",
    "fabric_clocks", "on_batch", "_logic", "_uio", "_settle", "_lock", "_worker", "_memory", "_kernel",
})  # fmt: skip


@pytest.fixture(autouse=True)
def _board_in_a_box(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give the tests of a module pynq's device where they name the simulated one."""
    if request.module is not None and hasattr(request.module, "SimulatedDevice"):
        monkeypatch.setattr(request.module, "SimulatedDevice", boxed_device())
    yield
    if machine.hardware is not None:
        machine.unplug()
