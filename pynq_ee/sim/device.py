"""The simulated board as a device of pynq: what ``pynq.Overlay``, ``pynq.allocate`` and ``pynq.MMIO`` talk to.

It stands below pynq, which runs on it unmodified: 3.0.1, 3.1 and 4.0 are known to. It takes part in no probing, so it
never becomes pynq's active device by itself; give it to pynq by name (``Overlay(..., device=device)``,
``allocate(..., target=device)``). Several may exist at once.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import shutil
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
from pynq.pl_server.global_state import GlobalState
from pynqmetadata.frontends import Metadata

from pynq_ee.driver import bit_header
from pynq_ee.driver.load_state import state_file_name
from pynq_ee.errors import DeviceError, InputError, OverlayError
from pynq_ee.files import write_atomically
from pynq_ee.generate import hwh
from pynq_ee.network import spec
from pynq_ee.network.weights import Model
from pynq_ee.sim import bitfile, processor
from pynq_ee.sim.buffer import BufferObject, SimulatedBuffer
from pynq_ee.sim.bus import WORD_BYTES, Bus, WordArray
from pynq_ee.sim.dram import Dram
from pynq_ee.sim.fabrics import Fabric, FunctionalFabric, Logic
from pynq_ee.sim.injection import Injector, Shot
from pynq_ee.sim.interrupts import SimulatedUio
from pynq_ee.sim.kernel import Kernel, hls_kernel, numpy_kernel
from pynq_ee.sim.overlay_logic import OverlayFabric
from pynq_ee.sim.pacing import Worker

#: What computes in a fabric of functional models.
KERNELS: dict[str, Callable[[Model], Kernel]] = {"hls": hls_kernel, "numpy": numpy_kernel}
#: What a board's fabric may be, by the name that it is asked for.
FABRICS: dict[str, Callable[[Model], Kernel | Fabric]] = {**KERNELS, "rtl": OverlayFabric}

_numbers = itertools.count()


class SimulatedDevice(Device):
    """A board that is not there.

    Parameters
    ----------
    model
        The network whose first exit is in the fabric, whatever bitstream is loaded.
    kernel
        What computes it: ``hls`` (the C++ of the bitstream, compiled here when it first is needed), ``numpy``
        (no compiler needed), or ``rtl`` (the whole overlay of ``hw/rtl``, clock by clock; needs Verilator). Or a
        function that makes a kernel or a fabric for the model, such as one that fails on purpose.
    board
        A name in :data:`pynq_ee.network.spec.BOARDS`.
    memory_bytes
        Contiguous memory for buffers.
    design
        The block design in the fabric, as :mod:`pynq_ee.generate.hwh` describes one; by default, the one that
        ``hw/build.tcl`` makes for the model and the board, and with ``rtl`` that of ``hw/rtl``.
    pace
        None: a batch is complete within the register access that makes it possible, at once and always alike. Else
        the fabric works in a thread of its own, and a batch is complete when it has been computed and ``pace`` times
        the time of its modelled clocks has passed.

    Attributes
    ----------
    state_directory : str
        Where pynq's load state and the lock of the DMA lie. A board has them in places that all its processes share;
        this one belongs to its process, and has a directory of its own.
    bitfile : str
        A ``.bit`` beside its ``.hwh``, in a temporary directory that lives as long as the device.
    board : str
        The board's name.

    Raises
    ------
    InputError
        An unknown board or kernel, or a pace that is not finite and more than 0.
    DeviceError
        ``rtl`` for a board without a Zynq-7000.
    ToolError
        The HLS kernel cannot be compiled here.

    Examples
    --------
    >>> import pynq
    >>> from pynq_ee.network import weights
    >>> with SimulatedDevice(weights.load(), kernel="numpy") as device:
    ...     overlay = pynq.Overlay(device.bitfile, device=device)
    ...     images = pynq.allocate((16, 784), "u1", target=device)
    >>> sorted(overlay.ip_dict)
    ['axi_dma', 'first_exit', 'interrupt_controller', 'processing_system']
    """

    def __init__(
        self,
        model: Model,
        kernel: str | Callable[[Model], Kernel | Fabric] = "hls",
        board: str = spec.DEFAULT_BOARD.name,
        memory_bytes: int = 128 << 20,
        design: hwh.Design | None = None,
        pace: float | None = None,
    ) -> None:
        if board not in spec.BOARDS:
            raise InputError(f"board is {board!r}; there are {', '.join(spec.BOARDS)}")
        if not callable(kernel) and kernel not in FABRICS:
            raise InputError(f"kernel is {kernel!r}; there are {', '.join(FABRICS)}")
        if pace is not None and not (math.isfinite(pace) and pace > 0):
            raise InputError(f"pace is {pace}; it must be finite and more than 0, 1 being as fast as modelled")
        number = next(_numbers)
        super().__init__(f"pynq_ee_simulated_{number}")
        self._board = spec.BOARDS[board]
        self._model = model
        kernel_name = getattr(kernel, "__name__", type(kernel).__name__) if callable(kernel) else kernel
        made = kernel(model) if callable(kernel) else FABRICS[kernel](model)
        self._fabric = made if isinstance(made, Fabric) else FunctionalFabric(model, made, kernel_name)
        self.name = f"simulated {board} ({self._fabric.name})"
        self.board = board
        self.arch = processor.ARCHITECTURES[self._board.processor]
        self.capabilities = {"MEMORY_MAPPED": True}
        self.timestamp = ""
        self.bitfile_name = ""
        self._memory = Dram(processor.MEMORY_BASES[self._board.processor], memory_bytes)
        self._buffers: weakref.WeakSet[BufferObject] = weakref.WeakSet()
        self._faults = Injector()
        self._faults.attach(device=self, memory=self._memory)
        self._bus = Bus()
        processor.connect(self._bus, self._board.processor)
        self._logic: Logic | None = None
        self._worker = None if pace is None else Worker(f"fabric of {self.tag}", self._settle)
        self._lock: Any = self._worker.lock if self._worker else threading.RLock()
        if self._worker and pace is not None:
            self._fabric.pace(self._worker, pace / (self._board.clock_mhz * 1e6), self._circuit)
        self._uio = SimulatedUio(number, self._look_at_interrupt)
        self._closed = False
        self.state_directory = tempfile.mkdtemp(prefix="pynq_ee_")
        self._remove_directory = weakref.finalize(self, _remove, self.state_directory, os.getpid())
        path = Path(self.state_directory) / f"{spec.OVERLAY_NAME}.bit"
        self.bitfile = str(bitfile.write(path, spec.OVERLAY_NAME, self._board.part, b"simulated", model.build_id))
        described = design or self._fabric.design(self._board, model.spec.beat_bits)
        hwh.write(described, path.with_suffix(".hwh"))

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

        A cacheable one must be flushed and invalidated. pynq's own drivers do so with others too, which does nothing.

        Raises
        ------
        MemoryLimitError
            No contiguous range is that long (a RuntimeError, as on a board).
        DeviceError
            The device is closed.
        """
        self._check_open()
        nbytes = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
        bo = BufferObject(self._memory, nbytes, cacheable)
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
            if self._worker is None:
                self._settle()
            else:
                self._worker.check()
            return self._bus.read(address)

    def write_word(self, address: int, value: int) -> None:
        """Write a 32-bit register, and let the fabric react."""
        with self._lock:
            self._check_open()
            self._bus.write(address, value)
            if self._worker is None:
                if self._logic is not None:
                    self._logic.written()
                self._uio.update(lambda: self._interrupt)
            elif self._logic is not None:
                self._logic.settle_reset()  # at once, whatever the fabric works at
                self._worker.check()
                self._worker.wake()
                self._uio.update(lambda: self._interrupt)

    def _settle(self) -> None:
        """Let happen what can happen; in the fabric's thread, if it has one."""
        if self._logic is not None:
            self._logic.settle()
            self._uio.update(lambda: self._interrupt)

    def _circuit(self) -> object:
        """What is another thing after the accelerator has been reset or replaced."""
        return self._logic, self._logic and self._logic.resets

    @property
    def _interrupt(self) -> bool:
        return self._logic is not None and self._logic.interrupt

    def _look_at_interrupt(self) -> None:
        with self._lock:
            if self._worker is None:
                self._settle()
            else:
                self._uio.update(lambda: self._interrupt)

    @property
    def on_batch(self) -> Callable[[float, float, int], None] | None:
        """Called by a fabric with time of its own when a batch is complete: begin, end, images.

        The times are seconds of ``time.perf_counter``.
        """
        return self._worker.on_batch if self._worker else None

    @on_batch.setter
    def on_batch(self, function: Callable[[float, float, int], None] | None) -> None:
        if self._worker is None:
            raise InputError("this board has no time of its own; make one with SimulatedDevice(.., pace=1.0)")
        self._worker.on_batch = function

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
        # pynq makes an Interrupt of each pin that an IP's entry names, by way of the *active* device, which this board
        # is not. The pins stay in parser.interrupt_pins, for those who make one themselves.
        for entry in parser.ip_dict.values():
            entry["interrupts"] = {}
        for controller in parser.interrupt_controllers.values():
            if not controller["parent"]:
                controller["raw_irq"] = self._uio.line
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
        self.program(Path(bitstream.bitfile_name))
        _forget_clocks()
        parser = parser or self.get_bitfile_metadata(bitstream.bitfile_name)
        self.post_download(bitstream, parser, self.name)
        self._note_load(bitstream)

    def program(self, bit: Path) -> None:
        """Program the fabric with what the ``.hwh`` beside a ``.bit`` describes, without pynq's knowledge.

        Raises
        ------
        OverlayError, DeviceError
            As :meth:`download`.
        """
        found, own = bit_header.read(bit).part, self._board.part
        if not own.removeprefix("xc").startswith(found.removeprefix("xc")):
            raise OverlayError(f"{bit} is for the part {found}; {self.board} has a {own}")
        with self._lock:
            self._program(self._fabric.program(bit.with_suffix(".hwh"), self._memory))

    def _program(self, logic: Logic) -> None:
        if self._logic is not None:
            self._logic.disconnect(self._bus)
        self._faults.attach(**logic.parts)
        logic.connect(self._bus)
        self._logic = logic
        if self._worker:
            self._worker.start()
            self._worker.wake()

    def _note_load(self, bitstream: Any) -> None:
        """Write down what was loaded, as pynq does on a board for its other processes."""
        state = GlobalState(bitfile_name=str(bitstream.bitfile_name), timestamp=self.timestamp, active_name=self.name)
        write_atomically(Path(self.state_directory) / state_file_name(), json.dumps(dict(state)).encode())

    @property
    def fabric_clocks(self) -> int:
        """Clocks that the fabric has needed for its batches since the device was made.

        *Modelled* by :mod:`pynq_ee.sim.dataflow`, with the DMA always ready; never more than the rate rule gives. Those
        of ``kernel="rtl"`` are *counted*.
        """
        return self._fabric.clocks

    @property
    def batch_clocks(self) -> int | None:
        """Clocks of the last batch, *counted*; None: this fabric counts none."""
        return self._fabric.batch_clocks

    # Faults -----------------------------------------------------------------------------------------------------

    def inject(self, name: str, *, batch: int = 1, times: int | None = 1, seed: int = 0) -> Shot:
        """Let the board misbehave.

        Parameters
        ----------
        name
            A fault in :data:`pynq_ee.sim.faults.FAULTS`; with ``kernel="rtl"``, one in
            :data:`pynq_ee.sim.overlay_faults.FAULTS`.
        batch
            Transfer that it comes with first, counted from now, 1 being the next. Retries count, each split of a large
            batch too. For a fault of the memory, the buffer that is allocated.
        times
            How many transfers from there on it comes with. None: every one.
        seed
            What is random in it follows from this.

        Returns
        -------
        Shot
            What is armed; ``remove()`` disarms it, as does the end of a ``with`` block.

        Raises
        ------
        InputError
            No such fault, or a number below 1.
        """
        faults = self._fabric.faults
        if name not in faults:
            raise InputError(f"fault is {name!r}; there are {', '.join(faults)}")
        return self._faults.arm(faults[name], batch, times, seed)

    # End --------------------------------------------------------------------------------------------------------

    def _check_open(self) -> None:
        if self._closed:
            raise DeviceError(f"{self.name} is closed; make another")

    def close(self) -> None:
        """Free every buffer and remove the bitstream's files. May be called twice; nothing works afterwards.

        pynq 3.0.1 calls this in ``Overlay.free()``; later ones do not.
        """
        self._closed = True
        if self._worker:
            self._worker.stop()
        with self._lock:
            self._fabric.close()
        self._uio.close()
        for bo in list(self._buffers):
            bo.free()
        self._memory.release()  # not when the collector comes: some boards would fill a 32-bit address space
        self._remove_directory()

    def __enter__(self) -> SimulatedDevice:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _remove(directory: str, maker: int) -> None:
    """Remove a directory, unless this process is a fork of the one that made it and still uses it."""
    if os.getpid() == maker:
        shutil.rmtree(directory, ignore_errors=True)


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

    Without this, an overlay's clocks would be set in whatever device came first, a real board's among them. Those of
    pynq 3.0.1 are the active device's, which this one does not become by itself.
    """
    if hasattr(Clocks, "set_device") and "_real_instance" in vars(Clocks):
        del Clocks._real_instance
