"""The AXI DMA in direct register mode, as its product guide (AMD PG021, version 7.1) describes it.

Functional, not timed: a transfer completes in the register access that makes both of its ends ready. Where the guide
leaves a behaviour open, the one least kind to the driver is modelled, so that what works here works on a board:

- no beat is buffered between the DMA and the kernel; a channel is not idle before its last beat has been taken;
- an address that is not a multiple of the memory port's width loses its low bits (the guide: "undefined results"
  without a data realignment engine, and the design has none);
- a length that is not a multiple of the beat ends in a beat filled up with zeros (the kernel reads no TKEEP);
- LENGTH written while a transfer is under way changes nothing, and warns;
- clearing RS drops the transfer under way at once, without TLAST and without an interrupt.

Scatter-gather mode and the keyhole feature do not exist here; their registers and bits read zero.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from pynq_ee.sim.dram import Dram

# Offsets within a channel; MM2S is at 0x00, S2MM at 0x30.
CONTROL, STATUS, ADDRESS, ADDRESS_MSB, LENGTH = 0x00, 0x04, 0x18, 0x1C, 0x28

# Where the channels' registers begin: MM2S, then S2MM.
SEND_BASE, RECEIVE_BASE = 0x00, 0x30

CONTROL_RUN = 1 << 0
CONTROL_ALWAYS = 1 << 1
CONTROL_RESET = 1 << 2
STATUS_HALTED = 1 << 0
STATUS_IDLE = 1 << 1
INTERNAL_ERROR = 1 << 4
SLAVE_ERROR = 1 << 5
DECODE_ERROR = 1 << 6
ERRORS = INTERNAL_ERROR | SLAVE_ERROR | DECODE_ERROR
IRQ_COMPLETE = 1 << 12
IRQ_DELAY = 1 << 13
IRQ_ERROR = 1 << 14
IRQS = IRQ_COMPLETE | IRQ_DELAY | IRQ_ERROR
#: The interrupt threshold, a field of scatter-gather mode, reads its reset value in control and status.
THRESHOLD = 1 << 16


@dataclass(frozen=True)
class Configuration:
    """The parameters of the IP that the registers' behaviour depends on."""

    length_bits: int = 26
    address_bits: int = 32
    beat_bytes: int = 8
    memory_bytes: int = 8

    @classmethod
    def from_parameters(cls, parameters: dict[str, str]) -> Configuration:
        """Read the parameters as a .hwh names them; what it does not name has Vivado's default."""
        return cls(
            length_bits=int(parameters.get("c_sg_length_width", "14")),
            address_bits=int(parameters.get("c_addr_width", "32")),
            beat_bytes=int(parameters.get("c_m_axis_mm2s_tdata_width", "32")) // 8,
            memory_bytes=int(parameters.get("c_m_axi_mm2s_data_width", "32")) // 8,
        )


@dataclass
class Transfer:
    """One transfer under way: bytes from ``address`` on, ``moved`` of them done."""

    address: int
    nbytes: int
    moved: int = 0

    @property
    def left(self) -> int:
        """Bytes still to be moved."""
        return self.nbytes - self.moved

    def accessible(self, memory: Dram) -> int:
        """Of the bytes still to be moved, those that lie in the allocation in which the transfer began."""
        return max(memory.accessible(self.address, self.nbytes) - self.moved, 0)


@dataclass
class Channel:
    """Registers and state of one direction."""

    name: str
    configuration: Configuration
    memory: Dram
    transfer: Transfer | None = None
    _run: bool = False
    _enables: int = 0
    _idle: bool = False
    _flags: int = 0
    _address: int = 0
    _length: int = 0

    def reset(self) -> None:
        """Return to the state after power-up."""
        self.transfer = None
        self._run = self._idle = False
        self._enables = self._flags = self._address = self._length = 0

    @property
    def interrupt(self) -> bool:
        """Level of the interrupt output."""
        return bool(self._flags & self._enables & IRQS)

    def read(self, offset: int) -> int:
        """Value of a register; 0 where there is none."""
        if offset == CONTROL:
            return THRESHOLD | CONTROL_ALWAYS | self._enables | (CONTROL_RUN if self._run else 0)
        if offset == STATUS:
            state = STATUS_HALTED if not self._run else STATUS_IDLE if self._idle else 0
            return THRESHOLD | self._flags | state
        if offset == ADDRESS:
            return self._address & 0xFFFFFFFF
        if offset == ADDRESS_MSB:
            return self._address >> 32
        return self._length if offset == LENGTH else 0

    def write(self, offset: int, value: int) -> None:
        """Write a register; reset is the DMA's."""
        if offset == CONTROL:
            self._enables = value & IRQS
            self._set_run(bool(value & CONTROL_RUN))
        elif offset == STATUS:
            self._flags &= ~(value & IRQS)
        elif offset == ADDRESS:
            self._address = self._address >> 32 << 32 | value
        elif offset == ADDRESS_MSB:
            self._address = (value << 32 | self._address & 0xFFFFFFFF) & ((1 << self.configuration.address_bits) - 1)
        elif offset == LENGTH:
            self.start(value & ((1 << self.configuration.length_bits) - 1))

    def _set_run(self, run: bool) -> None:
        if not run:
            self.transfer = None
            self._idle = False
        self._run = run and not self._flags & ERRORS  # an error is left by reset alone

    def start(self, nbytes: int) -> None:
        """Begin a transfer, as a written length does; a channel that does not run keeps only the length."""
        if self.transfer is not None:
            warnings.warn(
                f"{self.name} LENGTH written while {self.transfer.left} bytes of a transfer are left: ignored",
                RuntimeWarning,
                stacklevel=2,
            )
            return
        self._length = nbytes
        if not self._run or not nbytes:
            return
        self._idle = False
        self.transfer = Transfer(self._address - self._address % self.configuration.memory_bytes, nbytes)

    def complete(self) -> None:
        """End the transfer under way as done."""
        self.transfer = None
        self._idle = True
        self._flags |= IRQ_COMPLETE

    def fail(self, error: int) -> None:
        """End the transfer under way with an error bit, and halt."""
        self.transfer = None
        self._run = self._idle = False
        self._flags |= error | IRQ_ERROR


class SendChannel(Channel):
    """MM2S: memory to stream."""

    def offered(self) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
        """Beats (n, beat bytes) that the stream offers now, and for each whether it carries TLAST.

        Where memory ends before the transfer does, only the whole beats before that point are offered, without TLAST.
        """
        beat_bytes = self.configuration.beat_bytes
        if self.transfer is None or not self.transfer.left:
            return np.empty((0, beat_bytes), np.uint8), np.empty(0, np.uint8)
        left = self.transfer.left
        readable = self.transfer.accessible(self.memory)
        if readable < left:
            readable -= readable % beat_bytes
        data = self.memory.read(self.transfer.address + self.transfer.moved, readable)
        if surplus := readable % beat_bytes:
            data = np.concatenate([data, np.zeros(beat_bytes - surplus, np.uint8)])
        beats = data.reshape(-1, beat_bytes)
        last = np.zeros(len(beats), np.uint8)
        if readable == left:
            last[-1] = 1
        return beats, last

    def settle(self) -> bool:
        """Complete a transfer whose beats are all taken, fail one that has come to the end of its memory."""
        if self.transfer is None:
            return False
        if not self.transfer.left:
            self.complete()
            return True
        if self.transfer.accessible(self.memory) < min(self.transfer.left, self.configuration.beat_bytes):
            self.fail(DECODE_ERROR)
            return True
        return False


class ReceiveChannel(Channel):
    """S2MM: stream to memory."""

    def fail(self, error: int) -> None:
        """End the transfer with an error. One of memory is an internal error, too (the guide, "S2MM_DMASR", bit 4)."""
        super().fail(error | INTERNAL_ERROR)

    def accept(self, beats: npt.NDArray[np.uint8], last: npt.NDArray[np.uint8]) -> int:
        """Take beats (n, beat bytes) up to the first TLAST, and return how many were taken."""
        if self.transfer is None or not len(beats):
            return 0
        transfer = self.transfer
        ends = np.flatnonzero(last)
        packet = int(ends[0]) + 1 if len(ends) else len(beats)
        nbytes = min(packet * self.configuration.beat_bytes, transfer.left)
        writable = min(nbytes, transfer.accessible(self.memory))
        taken = -(-writable // self.configuration.beat_bytes)
        self.memory.write(transfer.address + transfer.moved, beats[:taken].reshape(-1)[:writable])
        transfer.moved += writable
        if writable < nbytes:
            self.fail(DECODE_ERROR)
        elif len(ends) and nbytes == packet * self.configuration.beat_bytes:
            self._length = transfer.moved
            self.complete()
        elif not transfer.left:
            self.fail(INTERNAL_ERROR)  # the packet is longer than the buffer
        return taken


@dataclass
class AxiDma:
    """Both channels, as the processor sees them."""

    configuration: Configuration
    memory: Dram
    send: SendChannel = field(init=False)
    receive: ReceiveChannel = field(init=False)
    #: Soft resets so far; what hangs on the DMA's reset outputs watches it.
    resets: int = 0

    def __post_init__(self) -> None:
        self.send = SendChannel("MM2S", self.configuration, self.memory)
        self.receive = ReceiveChannel("S2MM", self.configuration, self.memory)

    def _channel(self, offset: int) -> tuple[Channel, int]:
        return (self.send, offset) if offset < RECEIVE_BASE else (self.receive, offset - RECEIVE_BASE)

    def read(self, offset: int) -> int:
        """Value of the register at ``offset``."""
        channel, register = self._channel(offset)
        return channel.read(register)

    def write(self, offset: int, value: int) -> None:
        """Write the register at ``offset``. A reset of either channel resets both, and is over at once."""
        channel, register = self._channel(offset)
        if register == CONTROL and value & CONTROL_RESET:
            self.send.reset()
            self.receive.reset()
            self.resets += 1
        else:
            channel.write(register, value)

    def interrupt(self, pin: str) -> bool:
        """Level of an interrupt output: ``mm2s_introut`` or ``s2mm_introut``."""
        return {"mm2s_introut": self.send, "s2mm_introut": self.receive}[pin].interrupt
