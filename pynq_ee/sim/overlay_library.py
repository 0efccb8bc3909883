"""The overlay of ``hw/rtl`` as a shared library of this machine: compiled by Verilator, kept, and loaded.

Behind its registers and its memory port it computes clock by clock what the circuit computes. The functions are those
of ``hw/rtl/sim/overlay.h``; each returns after a bounded number of clocks.
"""

from __future__ import annotations

import ctypes
import logging
import os
import shutil
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pynq_ee.errors import DeviceError, InputError, ToolError
from pynq_ee.generate import verilog
from pynq_ee.network import weights
from pynq_ee.network.weights import Model
from pynq_ee.sim import hardware_make, libraries

_LIBRARY = "build/overlay/liboverlay.so"
_SOURCES = ("Makefile", "rtl/*", "rtl/sim/*", "rtl/netlist/*")
_WITHOUT = 'device="sim" simulates the same registers and streams without Verilator'
_OVERLAY = libraries.Kind("the simulated overlay", _WITHOUT)

#: What Verilator has been known to compile the overlay for.
_INSTALL = "on Debian and Ubuntu: sudo apt install verilator make g++"

#: Clocks that an access to a register may take: more than the kernel's reset, behind which it may have to wait.
_ACCESS_CLOCKS = 10_000
#: Clocks that one call simulates; between two the interpreter sees to signals.
_CALL_CLOCKS = 100_000
#: Clocks after which a circuit that has not come to rest never will: those of a transfer of the longest length that DMA
#: takes, at a word in eight clocks.
_REST_CLOCKS = 1 << 26

_DONE, _AT_REST, _OUT_OF_CLOCKS, _VIOLATION = range(4)

OKAY, SLVERR, DECERR = 0, 2, 3

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Conditions:
    """How memory behind HP0 and the processor behind GP0 behave.

    Attributes
    ----------
    seed
        What is random follows from it.
    latency
        Clocks from the address of a read to its first word, and from the last word of a write to its answer.
    jitter
        Up to so many clocks more, at random for each burst.
    words
        Of 64 bit, that memory moves in 1,000 clocks, both directions together. 0: as many as are asked for.
    stall
        Share of the clocks in which a channel of the memory port holds still, each by itself, 0 to 1 without 1.
    register_stall
        The same of the processor's port.
    """

    seed: int = 1
    latency: int = 60
    jitter: int = 0
    words: int = 0
    stall: float = 0.0
    register_stall: float = 0.0


class Counts(NamedTuple):
    """What has been counted since the circuit was programmed; see ``struct overlay_counts``."""

    clocks: int
    batches: int
    batch_clocks: int
    busy_clocks: int
    resets: int
    read_bursts: int
    read_words: int
    write_bursts: int
    write_words: int


class _Settings(ctypes.Structure):
    _fields_ = [
        ("seed", ctypes.c_uint64),
        *((name, ctypes.c_uint32) for name in ("latency", "jitter", "words", "stall", "register_stall")),
    ]


class _Counts(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in Counts._fields]


def library(model: Model, vcd: bool = False, netlist: Path | None = None) -> Path:
    """Path of the shared library of a model's overlay; built if no whole one of this user's is in the cache.

    Parameters
    ----------
    model
        The network whose first exit is in it.
    vcd
        It is to write waveforms, and is slower.
    netlist
        Verilog with a module ``zynq7_top`` of cells of the 7 series, one of them a PS7: what is simulated instead of
        the RTL, behind the pins of that cell. ``make -C hw netlist`` writes one; one from a bitstream does as well.

    Raises
    ------
    InputError
        No such netlist.
    ToolError
        Verilator, make or a C++ compiler is missing or fails, the cache cannot be written, or there is no Yosys whose
        models of the cells a netlist needs.
    """
    sources = {"model.sv": verilog.generated(model)}
    if netlist is not None:
        try:
            sources["netlist.v"] = netlist.read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(
                f"the netlist {netlist} cannot be read ({error}); `make -C hw netlist` writes one"
            ) from error
    digest = libraries.digest(hardware_make.hardware_folder(), _SOURCES, sources)
    kind = "-netlist" if netlist else ""
    path = libraries.place(f"overlay{kind}-{model.build_id:08x}-{digest}{'-vcd' if vcd else ''}.so", _OVERLAY)
    return path if libraries.is_whole(path) else _build(model, path, vcd, sources.get("netlist.v"))


def check_tools() -> None:
    """See that what compiles the overlay is here.

    Raises
    ------
    ToolError
        It is not; the message says how to get it.
    """
    compiler = (os.environ.get("CXX", "").split() or ["g++"])[0]
    if missing := [tool for tool in ("verilator", "make", compiler) if shutil.which(tool) is None]:
        raise ToolError(
            f"the overlay is simulated by Verilator, and {' and '.join(missing)} is not on the PATH; install it "
            f"({_INSTALL}). {_WITHOUT}"
        )


def _build(model: Model, path: Path, vcd: bool, netlist: str | None) -> Path:
    check_tools()
    _log.warning(
        "compiling the overlay's %s for build_id 0x%08x, once on this machine: %s; it is kept in %s",
        "Verilog" if netlist is None else "netlist",
        model.build_id,
        "about a minute" if netlist is None else "some minutes",
        path.parent,
    )

    def compile_in(folder: Path) -> Path:
        with hardware_make.plain_folder() as plain:
            weights.save(model, plain / "model.npz")
            if netlist is not None:
                (plain / "netlist.v").write_text(netlist)
            gates = "" if netlist is None else "../netlist.v"
            done = hardware_make.make(
                plain, "overlay-library", MODEL="../model.npz", VCD="1" if vcd else "", NETLIST=gates
            )
            if done.returncode or not (plain / _LIBRARY).is_file():
                lines = (done.stdout + done.stderr).strip().splitlines()
                raise ToolError(
                    f"the overlay cannot be compiled: `{' '.join(done.args)}` ended with {done.returncode}. "
                    f"{_WITHOUT}. It said:\n" + "\n".join(lines[-20:])
                )
            return Path(shutil.copy2(plain / _LIBRARY, folder / "liboverlay.so"))

    return libraries.build(path, compile_in, _OVERLAY)


class Overlay:
    """A circuit, just programmed and out of its reset.

    Parameters
    ----------
    path
        From :func:`library`.
    beat_bytes
        Bytes of a beat of the model's streams.
    seed
        What registers that no reset reaches begin with follows from it.
    vcd
        Write a waveform there.

    Raises
    ------
    ToolError
        The library cannot be loaded, or is another model's.
    """

    def __init__(self, path: Path, beat_bytes: int, seed: int = 1, vcd: Path | None = None) -> None:
        self._library = library = libraries.load(path, _OVERLAY)
        if (found := library.overlay_beat_bytes()) != beat_bytes:
            raise ToolError(f"{path} has beats of {found} bytes, the model's have {beat_bytes}; it is another model's")
        _declare(library)
        self._overlay = library.overlay_new(os.fsencode(vcd) if vcd else None, seed)
        self._memory: npt.NDArray[np.uint8] | None = None

    def close(self) -> None:
        """End the simulation, and the waveform with it. May be called twice."""
        if self._overlay:
            self._library.overlay_delete(self._overlay)
        self._overlay = None

    def attach(self, memory: npt.NDArray[np.uint8], base: int, ranges: Sequence[tuple[int, int]]) -> None:
        """Let bytes be memory: the first at address ``base``, answering in ``ranges``, each (first, end)."""
        self._memory = memory  # whose bytes are used from now on
        flat = (ctypes.c_uint64 * (2 * len(ranges)))(*(value for pair in ranges for value in pair))
        self._library.overlay_memory(self._overlay, memory.ctypes.data, base, flat, len(ranges))

    def configure(self, conditions: Conditions) -> None:
        """Let memory and processor behave in a way."""
        *whole, stall, register_stall = astuple(conditions)
        settings = _Settings(*whole, int(65536 * stall), int(65536 * register_stall))
        self._library.overlay_configure(self._overlay, ctypes.byref(settings))

    def bystander(self, addresses: Sequence[int], share: float) -> None:
        """Let another program read one of some registers in a share of the clocks; none: let none do so."""
        array = (ctypes.c_uint32 * len(addresses))(*addresses)
        self._library.overlay_bystander(self._overlay, array, len(addresses), int(65536 * share))

    def fault(self, kind: int, after: int = 0, value: int = 0) -> None:
        """Arm a fault of memory, as ``overlay_fault_kind`` has them; 0: none from now on."""
        self._library.overlay_fault(self._overlay, kind, after, value)

    def read(self, address: int) -> tuple[int, int]:
        """Read a word on GP0: its value, and the answer."""
        ((value,), (answer,)) = self.read_burst(address, 1)
        return value, answer

    def write(self, address: int, value: int) -> int:
        """Write a word on GP0: the answer."""
        return self.write_burst(address, [value])

    def read_burst(
        self, address: int, words: int, *, id: int = 0, size: int = 2, burst: int = 1
    ) -> tuple[list[int], list[int]]:
        """Read a burst on GP0: its words, and the answer to each. ``size`` and ``burst`` as AXI codes them."""
        data, answers = (ctypes.c_uint32 * words)(), (ctypes.c_uint32 * words)()
        status = self._library.overlay_read(
            self._overlay, id, address, words - 1, size, burst, data, answers, _ACCESS_CLOCKS
        )
        self._check(status, f"a read of 0x{address:x}", _ACCESS_CLOCKS)
        return list(data), list(answers)

    def write_burst(
        self,
        address: int,
        values: Sequence[int],
        strobes: Sequence[int] | None = None,
        *,
        id: int = 0,
        size: int = 2,
        burst: int = 1,
    ) -> int:
        """Write a burst on GP0: the answer. ``strobes`` has four bits for each word."""
        data = (ctypes.c_uint32 * len(values))(*values)
        bytes_ = (ctypes.c_uint8 * len(values))(*(strobes or [0xF] * len(values)))
        answer = ctypes.c_uint32()
        status = self._library.overlay_write(
            self._overlay, id, address, len(values) - 1, size, burst, data, bytes_, ctypes.byref(answer), _ACCESS_CLOCKS
        )
        self._check(status, f"a write of 0x{address:x}", _ACCESS_CLOCKS)
        return answer.value

    def run(self, clocks: int) -> None:
        """Let clocks pass."""
        while clocks > 0:
            part = min(clocks, _CALL_CLOCKS)
            self._check(self._library.overlay_run(self._overlay, part, 0), "running", part, True)
            clocks -= part

    def rest(self) -> None:
        """Let clocks pass until nothing moves any more, and nothing is going to.

        Raises
        ------
        DeviceError
            It does not come to rest, or breaks a rule of the bus.
        """
        for _ in range(0, _REST_CLOCKS, _CALL_CLOCKS):
            status = self._library.overlay_run(self._overlay, _CALL_CLOCKS, 1)
            if status == _AT_REST:
                return
            self._check(status, "running", _CALL_CLOCKS, True)
        raise DeviceError(
            f"the simulated overlay has not come to rest in {_REST_CLOCKS} clocks; its circuit is at fault"
        )

    @property
    def interrupt(self) -> bool:
        """Level of the interrupt to the processor."""
        return bool(self._library.overlay_interrupt(self._overlay))

    @property
    def counts(self) -> Counts:
        """What has been counted so far."""
        found = _Counts()
        self._library.overlay_count(self._overlay, ctypes.byref(found))
        return Counts(*(getattr(found, name) for name in Counts._fields))

    def _check(self, status: int, what: str, clocks: int, goes_on: bool = False) -> None:
        if status == _VIOLATION:
            rule = self._library.overlay_violation(self._overlay).decode()
            raise DeviceError(
                f"the simulated overlay broke a rule of its buses at {what}: {rule}; its circuit is at fault"
            )
        if status == _OUT_OF_CLOCKS and not goes_on:
            raise DeviceError(
                f"the simulated overlay has not answered {what} within {clocks} clocks; its circuit is at fault"
            )


def _declare(library: ctypes.CDLL) -> None:
    overlay, word, clocks = ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint64
    words = ctypes.POINTER(word)
    address = [overlay, *[word] * 5]
    types = {
        "new": ([ctypes.c_char_p, clocks], overlay),
        "delete": ([overlay], None),
        "memory": ([overlay, ctypes.c_void_p, clocks, ctypes.POINTER(clocks), word], None),
        "configure": ([overlay, ctypes.POINTER(_Settings)], None),
        "bystander": ([overlay, words, word, word], None),
        "fault": ([overlay, word, word, word], None),
        "write": ([*address, words, ctypes.POINTER(ctypes.c_uint8), words, clocks], ctypes.c_int),
        "read": ([*address, words, words, clocks], ctypes.c_int),
        "run": ([overlay, clocks, ctypes.c_int], ctypes.c_int),
        "interrupt": ([overlay], ctypes.c_int),
        "count": ([overlay, ctypes.POINTER(_Counts)], None),
        "violation": ([overlay], ctypes.c_char_p),
    }
    for name, (arguments, result) in types.items():
        function = getattr(library, f"overlay_{name}")
        function.argtypes, function.restype = arguments, result
