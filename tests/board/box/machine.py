"""The one machine of this process: what pynq's ``EmbeddedDevice`` finds below itself, and the hardware plugged into it.

:func:`install` must be called before pynq is imported: pynq asks at once what processor it runs on.
"""

from __future__ import annotations

import atexit
import os
import platform
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from board.box import system, xrt

#: What the processors call themselves.
ARCHITECTURES = {"zynq7": "armv7l", "zynqmp": "aarch64"}

_HERE = Path(__file__).resolve().parent


class Machine:
    """The machine: a folder that holds the files of a board, and what answers behind the special ones.

    Attributes
    ----------
    root : Path
        The board's files, as far as they are others than this machine's.
    hardware : SimulatedDevice or None
        The processor's registers, fabric and memory; :meth:`plug` exchanges them, as a power cycle would.
    programmed : list of str
        Names of the files that the FPGA manager has been told to load.
    """

    def __init__(self, processor: str) -> None:
        self.processor = processor
        self.root = Path(tempfile.mkdtemp(prefix="pynq_ee_board_"))
        self.hardware: Any = None
        self.memory: xrt.Memory | None = None
        self.line = system.InterruptLine(self._level)
        self.programmed: list[str] = []
        self._builds: dict[bytes, Path] = {}
        files = {
            "/sys/class/fpga_manager/fpga0/state": "operating\n",
            "/sys/class/fpga_manager/fpga0/flags": "0\n",
            "/sys/class/fpga_manager/fpga0/firmware": "",
            "/sys/class/uio/uio0/name": "fabric\n",
            "/proc/interrupts": f"           CPU0       CPU1\n 46:          0          0     GIC-0 "
            f"{61 if processor == 'zynq7' else 121} Level     fabric\n",
            "/proc/device-tree/chosen/pynq_board": "a board in a box\0",
            "/proc/device-tree/compatible": f"xlnx,{processor}\0",
            "/proc/meminfo": "MemTotal:         498896 kB\nCmaTotal:         131072 kB\nCmaFree:          120000 kB\n",
            "/dev/mem": "",
            "/dev/uio0": "",
            "/lib/firmware/.keep": "",
            "/run/lock/.keep": "",
            "/notes/.keep": "",
        }
        for name, content in files.items():
            path = self.root / name.lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)

    def plug(self, hardware: Any) -> None:
        """Take the hardware, in the state after power was switched on."""
        if self.hardware is not None:
            raise RuntimeError("there is one board in the box: unplug the other first")
        self.hardware = hardware
        self.memory = xrt.Memory(hardware)
        hardware._uio = self.line
        self.programmed.clear()
        self._builds.clear()
        self.knows(Path(hardware.bitfile))

    def unplug(self) -> list[str]:
        """Switch the power off; what the hardware would have been punished for, in words."""
        hardware, memory = self.hardware, self.memory
        self.hardware = self.memory = None
        hardware.close()
        for note in [*(self.root / "notes").iterdir(), *(self.root / "lib/firmware").glob("*.bin")]:
            note.unlink()
        return memory.violations if memory else []

    def knows(self, bit: Path) -> None:
        """Let a ``.bit`` be one whose ``.hwh`` describes what is in it: nobody can tell by the bits."""
        from pynq.pl_server.embedded_device import bit2bin

        self._builds[bit2bin(bit.read_bytes())] = bit

    def program(self, name: str) -> None:
        """What a write to the FPGA manager's ``firmware`` does."""
        content = (self.root / "lib/firmware" / name).read_bytes()
        if content not in self._builds:
            raise OSError(22, f"{name} is no bitstream for this part")
        self.hardware.program(self._builds[content])
        self.programmed.append(name)

    def _level(self) -> bool:
        if self.hardware is None:
            return False
        with self.hardware._lock:
            return bool(self.hardware._interrupt)


#: The machine, once it is installed.
machine: Machine | None = None


def install(processor: str, board: str) -> Machine:
    """Make this process one that runs on a board with ``processor`` (``zynq7``, ``zynqmp``), until it ends."""
    global machine
    if machine is not None or "pynq" in sys.modules:
        raise RuntimeError("the box must be there before pynq is imported, and once")
    machine = Machine(processor)
    atexit.register(shutil.rmtree, machine.root, ignore_errors=True)
    architecture = ARCHITECTURES[processor]
    os.environ["BOARD"] = board
    os.environ["PATH"] = f"{_HERE / 'bin'}{os.pathsep}{os.environ['PATH']}"
    os.environ["PYNQ_EE_BOX_PYTHON"] = sys.executable
    platform.machine = lambda: architecture
    uname = os.uname()
    os.uname = lambda: os.uname_result((*uname[:4], architecture))  # type: ignore[assignment]
    system.install(machine)
    xrt.install(machine)
    return machine
