"""Sessions in a box: pynq's own device of a board, and the driver's tests of the simulated board on it.

Each is a process of its own, since what lies below pynq must be in place before pynq is imported.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.sim.conftest import needs_verilator

_TESTS = Path(__file__).resolve().parent.parent

_RELEASE = tuple(map(int, version("pynq").split(".")[:2]))
_LIBRARY = (3,) <= _RELEASE < (3, 1)

pytestmark = pytest.mark.skipif(
    _LIBRARY and shutil.which(os.environ.get("CC", "cc")) is None,
    reason="pynq 3.0 calls XRT's C library, whose stand-in takes a C compiler",
)

#: The driver's tests that run on the box, and what pytest selects of them: not what only a simulated board can.
DRIVER = {
    # There is a board; and pynq's buffers have two pages at least on one.
    "test_inference.py": "not without_a_board_the_simulated_one and not sized_by_the_memory",
    "test_pipeline.py": "",
    "test_overlay.py": "",
    # There is one board, it has a UIO device, and the design is one for the simulated PYNQ-Z2.
    "test_asyncio.py": "not two_boards and not without_the_uio_device and not overlay_without_the_interrupt",
    # Each fault once, the rest takes minutes; and a stale line looks to the box like one that was not flushed.
    "test_faults.py": "comes_once and not stale",
}

#: Those of the overlay in RTL, which is for a Zynq-7000: on pynq's device, over the description of its own, clock by
#: clock. pynq's device counts no clocks.
OVERLAY_IN_RTL = "interrupt_ends or own_driver or slow_memory or (fault_is_noticed and not stale)"


def session(*arguments: str) -> str:
    """Run pytest in a box, and return what it prints; it must pass."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(_TESTS.parent), str(_TESTS)])}
    command = [sys.executable, "-m", "pytest", "-p", "board.box.plugin", "-p", "no:cacheprovider", "-rfE", *arguments]
    done = subprocess.run(command, cwd=_TESTS.parent, env=environment, text=True, stdout=-1, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout[-8000:]
    return done.stdout


def test_pynqs_own_device_runs_the_network_unmodified_and_the_box_refuses_what_a_board_would_punish() -> None:
    session("tests/board/inside")


@pytest.mark.slow
@pytest.mark.parametrize("name", DRIVER)
def test_the_drivers_tests_pass_on_pynqs_own_device(name: str) -> None:
    session(f"tests/sim/{name}", "-k", DRIVER[name])


@pytest.mark.slow
@needs_verilator
@pytest.mark.skipif(_RELEASE >= (4,), reason="pynq 4.0 knows no Zynq-7000, which the overlay of hw/rtl is for")
def test_the_overlay_in_rtl_runs_below_pynqs_own_device() -> None:
    assert " passed" in session("tests/sim/test_sim_rtl.py", "-k", OVERLAY_IN_RTL)
