"""The simulated board as a device of pynq: what ``pynq.Overlay``, ``pynq.allocate`` and ``pynq.MMIO`` talk to.

It stands below pynq, which runs on it unmodified: 3.0.1, 3.1 and 4.0 are known to. It takes part in no probing, so it
never becomes pynq's active device by itself; give it to pynq by name (``Overlay(..., device=device)``,
``allocate(..., target=device)``). Several may exist at once.
"""

from __future__ import annotations

import collections
import itertools
import tempfile
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from pynq import Clocks
from pynq.metadata.runtime_metadata_parser import RuntimeMetadataParser
from pynq.pl_server.device import Device
from pynqmetadata.frontends import Metadata

from pynq_ee import spec
from pynq_ee.errors import DeviceError, InputError, OverlayError
from pynq_ee.sim import bitfile, dataflow, hwh, processor
from pynq_ee.sim.buffer import BufferObject, SimulatedBuffer
from pynq_ee.sim.bus import WORD_BYTES, Bus, WordArray
from pynq_ee.sim.dram import Dram
from pynq_ee.sim.kernel import Kernel, hls_kernel, numpy_kernel
from pynq_ee.sim.programmable_logic import ProgrammableLogic
from pynq_ee.weights import Model

KERNELS: dict[str, Callable[[Model], Kernel]] = {"hls": hls_kernel, "numpy": numpy_kernel}

_numbers = itertools.count()


class SimulatedDevice(Device):
    """A board that is not there.

    Parameters
    ----------
    model
        The network whose first exit is in the fabric, whatever bitstream is loaded.
    kernel
        What computes it: ``hls`` (the C++ of the bitstream, compiled here when it first is needed) or ``numpy``
        (no compiler needed). Or a function that makes a kernel for the model, such as one that fails on purpose.
    board
        A name in :data:`pynq_ee.spec.BOARDS`.
    memory_bytes
        Contiguous memory for buffers.
    design
        The block design in the fabric, as :mod:`pynq_ee.sim.hwh` describes one; by default, the one that
        ``hw/build.tcl`` makes for the model and the board.

    Attributes
    ----------
    bitfile : str
        A ``.bit`` beside its ``.hwh``, in a temporary directory that lives as long as the device.
    board : str
        The board's name.

    Raises
    ------
    InputError
        An unknown board or kernel.
    ToolError
        The HLS kernel cannot be compiled here.

    Examples
    --------
    >>> with SimulatedDevice(model, kernel="numpy") as device:
    ...     overlay = pynq.Overlay(device.bitfile, device=device)
    ...     images = pynq.allocate((16, 784), "u1", target=device)
    """

    def __init__(
        self,
        model: Model,
        kernel: str | Callable[[Model], Kernel] = "hls",
        board: str = spec.DEFAULT_BOARD.name,
        memory_bytes: int = 128 << 20,
        design: hwh.Design | None = None,
    ) -> None:
        if board not in spec.BOARDS:
            raise InputError(f"board is {board!r}; there are {', '.join(spec.BOARDS)}")
        if not callable(kernel) and kernel not in KERNELS:
            raise InputError(f"kernel is {kernel!r}; there are {', '.join(KERNELS)}")
        super().__init__(f"pynq_ee_simulated_{next(_numbers)}")
        self._board = spec.BOARDS[board]
        self._model = model
        self._kernel = kernel(model) if callable(kernel) else KERNELS[kernel](model)
        kernel_name = getattr(kernel, "__name__", type(kernel).__name__) if callable(kernel) else kernel
        self.name = f"simulated {board} ({kernel_name} kernel)"
        self.board = board
        self.arch = processor.ARCHITECTURES[self._board.processor]
        self.capabilities = {"MEMORY_MAPPED": True}
        self.timestamp = ""
        self.bitfile_name = ""
        self._runs: collections.Counter[tuple[int, bool]] = collections.Counter()
        self._memory = Dram(processor.MEMORY_BASES[self._board.processor], memory_bytes)
        self._buffers: weakref.WeakSet[BufferObject] = weakref.WeakSet()
        self._bus = Bus()
        processor.connect(self._bus, self._board.processor)
        self._logic: ProgrammableLogic | None = None
        self._lock = threading.RLock()
        self._closed = False
        self._directory = tempfile.TemporaryDirectory(prefix="pynq_ee_")
        path = Path(self._directory.name) / f"{spec.OVERLAY_NAME}.bit"
        self.bitfile = str(bitfile.write(path, spec.OVERLAY_NAME, self._board.part, f"{model.build_id:08x}".encode()))
        hwh.write(design or hwh.recorded_design(board, model.spec.beat_bits), path.with_suffix(".hwh"))

    # Memory -----------------------------------------------------------------------------------------------------

    @property
    def live_buffers(self) -> int:
        """Buffers that have not been freed."""
        return self._memory.allocations

    @property
    def allocated_bytes(self) -> int:
        """Bytes of contiguous memory in use, whole pages."""
        return self._memory.allocated_bytes

    def allocate(self, shape: Any, dtype: Any = "u4", cacheable: bool = False) -> SimulatedBuffer:
        """Allocate a buffer; what ``pynq.allocate(..., target=device)`` calls.

        ``cacheable`` changes nothing: every buffer must be flushed and invalidated, as pynq's own drivers do.

        Raises
        ------
        MemoryLimitError
            No contiguous range is that long (a RuntimeError, as on a board).
        DeviceError
            The device is closed.
        """
        self._check_open()
        nbytes = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
        bo = BufferObject(self._memory, nbytes)
        self._buffers.add(bo)
        return SimulatedBuffer.owner(bo, shape, dtype, self)

    def flush(self, bo: BufferObject, offset: int, ptr: int, size: int) -> None:
        """Copy the host's bytes of a buffer to the DRAM; what ``buffer.flush()`` calls."""
        bo.flush(offset, size)

    def invalidate(self, bo: BufferObject, offset: int, ptr: int, size: int) -> None:
        """Copy the DRAM's bytes of a buffer to the host; what ``buffer.invalidate()`` calls."""
        bo.invalidate(offset, size)

    # Registers --------------------------------------------------------------------------------------------------

    @property
    def register_accesses(self) -> int:
        """Register reads and writes since the device was made."""
        return self.register_reads + self.register_writes

    @property
    def register_reads(self) -> int:
        """Register reads since the device was made."""
        return self._bus.reads

    @property
    def register_writes(self) -> int:
        """Register writes since the device was made."""
        return self._bus.writes

    def mmap(self, base_addr: int, length: int) -> WordArray:
        """Map registers; as on a board, an address where nothing is shows only when it is accessed."""
        if base_addr % WORD_BYTES:
            raise ValueError(f"base address 0x{base_addr:x} is not a multiple of {WORD_BYTES}")
        return WordArray(self, base_addr, length // WORD_BYTES)

    def read_word(self, address: int) -> int:
        """Read a 32-bit register, and let the fabric react."""
        with self._lock:
            self._check_open()
            self._settle()
            return self._bus.read(address)

    def write_word(self, address: int, value: int) -> None:
        """Write a 32-bit register, and let the fabric react."""
        with self._lock:
            self._check_open()
            self._bus.write(address, value)
            self._settle()

    def _settle(self) -> None:
        if self._logic is not None:
            self._logic.settle()

    # Overlays ---------------------------------------------------------------------------------------------------

    def get_bitfile_metadata(self, bitfile_name: str, partial: bool = False) -> Any:
        """Parse the .hwh beside a .bit, as pynq does for a board, with two corrections; see the code.

        Raises
        ------
        OverlayError
            No .hwh.
        """
        if partial:
            raise DeviceError("partial bitstreams are not simulated; load a full one")
        description = Path(bitfile_name).with_suffix(".hwh")
        if not description.is_file():
            raise OverlayError(f"no {description.name} beside {bitfile_name}; copy both")
        parser = RuntimeMetadataParser(Metadata(input=str(description)))
        _correct_clocks(parser)
        # pynq makes an Interrupt of each pin that an IP's entry names, by way of the *active* device and a UIO device
        # in /dev, and this board is not the one and has not the other. The pins stay in parser.interrupt_pins.
        for entry in parser.ip_dict.values():
            entry["interrupts"] = {}
        return parser

    def set_bitfile_name(self, bitfile_name: str) -> None:
        """Take the metadata of a bitstream; pynq calls this for each Overlay."""
        _forget_clocks()
        super().set_bitfile_name(bitfile_name)

    def download(self, bitstream: Any, parser: Any = None) -> None:
        """Program the fabric: what was in it is gone, its registers have their reset values.

        Raises
        ------
        OverlayError
            A bitstream for another part, or no bitstream.
        DeviceError
            A design that cannot be simulated, or a closed device.
        """
        self._check_open()
        if bitstream.partial:
            raise DeviceError("partial bitstreams are not simulated; load a full one")
        found, own = bitfile.part(bitstream.bitfile_name), self._board.part
        if not own.removeprefix("xc").startswith(found.removeprefix("xc")):
            raise OverlayError(f"{bitstream.bitfile_name} is for the part {found}; {self.board} has a {own}")
        logic = ProgrammableLogic(
            Path(bitstream.bitfile_name).with_suffix(".hwh"),
            self._memory,
            self._kernel,
            self._model.spec.beat_bytes,
            self._count_run,
        )
        if self._logic is not None:
            self._logic.disconnect(self._bus)
        logic.connect(self._bus)
        self._logic = logic
        _forget_clocks()
        self.post_download(bitstream, parser or self.get_bitfile_metadata(bitstream.bitfile_name), self.name)

    def _count_run(self, images: int, mode: int) -> None:
        self._runs[images, bool(mode & spec.MODE_FEATURES)] += 1

    @property
    def fabric_clocks(self) -> int:
        """Clocks that the fabric has needed for its runs since the device was made (*modelled*).

        They are those of :mod:`pynq_ee.sim.dataflow`, with the DMA always ready; never more than the rate rule gives.
        """
        return sum(
            runs * dataflow.batch_clocks(self._model.spec, images, features)
            for (images, features), runs in self._runs.items()
        )

    # End --------------------------------------------------------------------------------------------------------

    def _check_open(self) -> None:
        if self._closed:
            raise DeviceError(f"{self.name} is closed; make another")

    def close(self) -> None:
        """Free every buffer and remove the bitstream's files. May be called twice; nothing works afterwards.

        pynq 3.0.1 calls this in ``Overlay.free()``; later ones do not.
        """
        self._closed = True
        for bo in list(self._buffers):
            bo.free()
        self._directory.cleanup()

    def __enter__(self) -> SimulatedDevice:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _correct_clocks(parser: Any) -> None:
    """Make the metadata's clocks such that pynq can set them in this device, or does not try to.

    pynq 3.0.1 sets clocks by the architecture of the *host* and in the active device, so it is given none to set.
    Later ones ask the device; pynqmetadata 0.2.0, which pynq 4.0 takes frequencies from, does not find those of a
    Zynq-7000 (None), so they are read from the processor's parameters here.
    """
    if not hasattr(Clocks, "set_device"):
        parser.clock_dict = {}
        return
    parameters = parser.ip_dict[parser.ps_name]["parameters"]
    for index, clock in parser.clock_dict.items():
        actual = parameters.get(f"PCW_ACT_FPGA{index}_PERIPHERAL_FREQMHZ")
        if "frequency" in clock and clock["frequency"] is None and actual is not None:
            clock["frequency"] = float(actual)


def _forget_clocks() -> None:
    """Drop the clock registers that pynq keeps: it makes them once, for the first device, and never for another.

    Without this, an overlay's clocks would be set in whatever device came first, a real board's among them.
    """
    if "_real_instance" in vars(Clocks):
        del Clocks._real_instance
