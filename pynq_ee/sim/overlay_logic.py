"""The overlay of ``hw/rtl`` in the fabric of a simulated board, clock by clock.

Time passes only where the processor lets it: with each access to a register, which is a transaction on GP0, and while
it waits. Before each read, and where an interrupt is waited for, the circuit runs until it comes to rest, unless a
number of clocks was asked for; a write takes its transaction and no more. So what a program sees does not depend on
how fast the simulation is, and no clock is simulated in which nothing happens.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from pynq_ee.driver import hardware_description
from pynq_ee.errors import DeviceError
from pynq_ee.generate import rtl_design
from pynq_ee.generate.hwh import Design
from pynq_ee.network import spec
from pynq_ee.network.spec import Board
from pynq_ee.network.weights import Model
from pynq_ee.sim import axi_dma, overlay_library
from pynq_ee.sim.bus import Bus, BusError
from pynq_ee.sim.dram import Dram
from pynq_ee.sim.fabrics import Fabric
from pynq_ee.sim.overlay_faults import FAULTS
from pynq_ee.sim.overlay_library import OKAY, Conditions, Overlay

#: What the processor of a Zynq-7000 sees through M_AXI_GP0 (UG585, table 4-1).
GP0_BASE, GP0_SIZE = 0x4000_0000, 0x4000_0000

_BOARD = spec.DEFAULT_BOARD
_RANGES = {
    _BOARD.dma_address: spec.DMA_RANGE,
    _BOARD.kernel_address: spec.KERNEL_RANGE,
    _BOARD.interrupt_address: spec.INTERRUPT_RANGE,
}

#: Registers that can be read without changing anything, and an address where nothing is.
HARMLESS = (
    *(_BOARD.dma_address + base + offset
      for base in (axi_dma.SEND_BASE, axi_dma.RECEIVE_BASE)
      for offset in (axi_dma.CONTROL, axi_dma.STATUS, axi_dma.ADDRESS, axi_dma.LENGTH)),
    *(_BOARD.kernel_address + spec.REGISTER_OFFSET[name] for name in ("magic", "build_id", "num_images", "IP_ISR")),
    _BOARD.interrupt_address,
    GP0_BASE + GP0_SIZE - 4,
)  # fmt: skip


class OverlayFabric(Fabric):
    """A fabric that is programmed with the overlay of ``hw/rtl``. Its clocks are *counted*.

    Parameters
    ----------
    model
        The network whose first exit is in it.
    conditions
        How memory and processor behave.
    look
        None: the circuit comes to rest before each read. Else it runs for so many clocks, at random from the first to
        the second number.
    bystander
        Share of the clocks in which another program begins to read a register, 0 to 1 without 1.
    vcd
        Write a waveform there. It begins when the fabric is programmed, and anew when it is programmed again.
    netlist
        Simulate this netlist of ``zynq7_top`` instead of the RTL; see :func:`pynq_ee.sim.overlay_library.library`. Its
        name says so then. Whether a batch is under way is told by what the processor writes and reads, and nothing but
        the buses is seen to move: a thousand clocks without it are rest, and a count ends with memory's last answer.

    Raises
    ------
    InputError
        No such netlist.
    ToolError
        Verilator is missing, or fails; or Yosys, with a netlist.
    """

    name = "rtl overlay"
    faults = FAULTS

    def __init__(
        self,
        model: Model,
        conditions: Conditions = Conditions(),  # noqa: B008  # it is frozen
        *,
        look: tuple[int, int] | None = None,
        bystander: float = 0.0,
        vcd: str | os.PathLike[str] | None = None,
        netlist: str | os.PathLike[str] | None = None,
    ) -> None:
        self._spec = model.spec
        if netlist is not None:
            self.name = f"netlist {Path(netlist).name}"
        self._library = overlay_library.library(model, vcd is not None, None if netlist is None else Path(netlist))
        self._vcd = None if vcd is None else Path(vcd).absolute()
        self.conditions = conditions
        self.look = look
        self.bystander = bystander
        self._programmed = 0
        self._logic: OverlayLogic | None = None
        self._clocks_before = 0

    def design(self, board: Board, beat_bits: int) -> Design:
        """The overlay of ``hw/rtl`` as its own generator describes it."""
        try:
            return rtl_design.describe(board, beat_bits)
        except ValueError as error:
            raise DeviceError(f"{error}. Take such a board, or another kernel") from error

    def program(self, hwh: Path, memory: Dram) -> OverlayLogic:
        """The overlay, if it is the one that the .hwh describes."""
        _check_description(hwh, self._spec.beat_bits)
        self.close()
        self._programmed += 1
        overlay = Overlay(self._library, self._spec.beat_bytes, self._programmed, self._vcd)
        overlay.configure(self.conditions)
        overlay.bystander(HARMLESS, self.bystander)
        self._logic = OverlayLogic(overlay, memory, self.look, self.conditions.seed)
        return self._logic

    @property
    def clocks(self) -> int:
        """Of all batches so far: of each from LENGTH of its images to the end of its results (*counted*)."""
        return self._clocks_before + (self._logic.overlay.counts.busy_clocks if self._logic else 0)

    @property
    def batch_clocks(self) -> int:
        """Of the last batch (*counted*)."""
        return self._logic.overlay.counts.batch_clocks if self._logic else 0

    def close(self) -> None:
        """End the simulation."""
        if self._logic is not None:
            self._clocks_before += self._logic.close()
        self._logic = None


class OverlayLogic:
    """The circuit behind its registers.

    Parameters
    ----------
    overlay
        The circuit.
    memory
        What the DMA reads and writes. What is not allocated answers with a decode error.
    look
        See :class:`OverlayFabric`.
    seed
        What is random in that follows from it.
    """

    def __init__(self, overlay: Overlay, memory: Dram, look: tuple[int, int] | None = None, seed: int = 1) -> None:
        self.overlay = overlay
        self._memory = memory
        self._ranges: Sequence[tuple[int, int]] | None = None
        self._look = look
        self._generator = np.random.default_rng(seed)
        self._later: list[tuple[int, Callable[[], None]]] = []
        self.dma = SimpleNamespace(
            send=_Channel(self, _BOARD.dma_address + axi_dma.SEND_BASE),
            receive=_ReceiveChannel(self, _BOARD.dma_address + axi_dma.RECEIVE_BASE),
        )
        self.accelerator = _Part(self, _BOARD.kernel_address)
        self.parts: dict[str, object] = {"dma": self.dma, "accelerator": self.accelerator, "logic": self}

    def connect(self, bus: Bus) -> None:
        """Let the circuit answer at all addresses that GP0 has."""
        bus.connect(GP0_BASE, GP0_SIZE, self)

    def disconnect(self, bus: Bus) -> None:
        """Let it answer no longer."""
        bus.disconnect(self)

    def close(self) -> int:
        """End the simulation; the clocks that its batches took."""
        clocks = self.overlay.counts.busy_clocks
        self.overlay.close()
        return clocks

    @property
    def resets(self) -> int:
        """Resets of the kernel so far."""
        return self.overlay.counts.resets

    @property
    def interrupt(self) -> bool:
        """Level of the interrupt to the processor."""
        return self.overlay.interrupt

    def settle(self) -> None:
        """Let time pass, until the circuit comes to rest or as long as was asked for."""
        self._attach()
        while self._later:
            clocks, action = self._later.pop(0)
            self.overlay.run(clocks)
            action()
        if self._look is None:
            self.overlay.rest()
        else:
            self.overlay.run(int(self._generator.integers(self._look[0], self._look[1] + 1)))

    def written(self) -> None:
        """Nothing: time passes with the next access."""

    def settle_reset(self) -> None:
        """Nothing: the circuit resets itself."""

    def later(self, clocks: int, action: Callable[[], None]) -> None:
        """Do something so many clocks after the processor looks next."""
        self._later.append((clocks, action))

    # Registers --------------------------------------------------------------------------------------------------

    def read(self, offset: int) -> int:
        """Read a register at an offset in what GP0 has; by way of its part, so that faults can act."""
        address = GP0_BASE + offset
        part, base = self._part(address)
        return part.read(address - base) if part else self.read_register(address)

    def write(self, offset: int, value: int) -> None:
        """Write a register at an offset in what GP0 has."""
        address = GP0_BASE + offset
        part, base = self._part(address)
        if part:
            part.write(address - base, value)
        else:
            self.write_register(address, value)

    def _part(self, address: int) -> tuple[_Part | None, int]:
        for part in (self.dma.receive, self.dma.send, self.accelerator):
            if part.base <= address < part.base + part.size:
                return part, part.base
        return None, 0

    def read_register(self, address: int) -> int:
        """Read a register in a transaction.

        Raises
        ------
        BusError
            Nothing answers there.
        """
        self._attach()
        value, answer = self.overlay.read(address)
        _check_answer(answer, address)
        return value

    def write_register(self, address: int, value: int) -> None:
        """Write a register in a transaction.

        Raises
        ------
        BusError
            Nothing answers there.
        """
        self._attach()
        _check_answer(self.overlay.write(address, value), address)

    def _attach(self) -> None:
        """Let the circuit see the memory as it is allocated now."""
        ranges = self._memory.ranges
        if ranges != self._ranges:
            self._ranges = ranges
            self.overlay.attach(self._memory.bytes, self._memory.base, ranges)


class _Part:
    """A part of the circuit behind its registers: what faults tap."""

    size = 1 << spec.REGISTER_ADDRESS_BITS

    def __init__(self, logic: OverlayLogic, base: int) -> None:
        self.base = base
        self._logic = logic

    def read(self, offset: int) -> int:
        """Read the register at an offset."""
        return self._logic.read_register(self.base + offset)

    def write(self, offset: int, value: int) -> None:
        """Write the register at an offset."""
        self._logic.write_register(self.base + offset, value)


class _Channel(_Part):
    """A channel of the DMA."""

    size = axi_dma.RECEIVE_BASE - axi_dma.SEND_BASE

    def write(self, offset: int, value: int) -> None:
        """Write the register at an offset. Either channel's reset is one of both."""
        if offset == axi_dma.CONTROL and value & axi_dma.CONTROL_RESET:
            self._logic.dma.send.reset(self.base)
        else:
            super().write(offset, value)

    def reset(self, through: int) -> None:
        """Reset both channels, through the one whose registers are there."""
        self._logic.write_register(through + axi_dma.CONTROL, axi_dma.CONTROL_RESET)


class _ReceiveChannel(_Channel):
    """The channel with which a batch begins."""

    def write(self, offset: int, value: int) -> None:
        """Write the register at an offset."""
        if offset == axi_dma.LENGTH:
            self.start(value)
        else:
            super().write(offset, value)

    def start(self, nbytes: int) -> None:
        """Begin a batch, with memory as it is meant to be."""
        self._logic.overlay.fault(0)
        super().write(axi_dma.LENGTH, nbytes)


def _check_answer(answer: int, address: int) -> None:
    if answer != OKAY:
        kind = "slave" if answer == overlay_library.SLVERR else "decode"
        raise BusError(f"nothing answers at address 0x{address:x} ({kind} error)")


def _check_description(hwh: Path, beat_bits: int) -> None:
    """See that a .hwh is that of the overlay: its addresses, and streams of its width."""
    root = hardware_description.read(hwh)
    processors = [module for module in root.iter("MODULE") if hardware_description.is_processor(module)]
    found = {}
    for entry in (entry for module in processors for entry in module.iter("MEMRANGE")):
        try:
            base, high = (int(entry.get(name, "0"), 16) for name in ("BASEVALUE", "HIGHVALUE"))
        except ValueError as error:
            raise DeviceError(f"{hwh} describes no design that can be simulated ({error}); build it again") from error
        found[base] = high - base + 1
    if found != _RANGES:
        raise DeviceError(
            f"{hwh} has registers at {_listed(found)}, the overlay of hw/rtl at {_listed(_RANGES)}: it is for a "
            "Zynq-7000 (pynq-z2, pynq-z1) and as hw/build.tcl places them"
        )
    widths = {
        entry.get("VALUE")
        for module in root.iter("MODULE")
        if module.get("INSTANCE") == spec.DMA_NAME
        for entry in module.iterfind("PARAMETERS/PARAMETER")
        if entry.get("NAME") == "c_m_axis_mm2s_tdata_width"
    }
    if widths != {str(beat_bits)}:
        raise DeviceError(
            f"the DMA in {hwh} has a stream of {' or '.join(map(str, widths)) or 'unknown'} bit, the kernel of the "
            f"model one of {beat_bits} bit; load the overlay that belongs to the model"
        )


def _listed(ranges: dict[int, int]) -> str:
    return ", ".join(f"0x{base:x}" for base in sorted(ranges)) or "no address"
