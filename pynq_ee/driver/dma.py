"""The AXI DMA in direct register mode (Xilinx PG021), driven with as few register accesses as it allows.

pynq's own channel objects spin for ever in ``wait()`` and ``start()`` and read the same status several times; this
module reads it once per poll and never waits. Deadlines belong to the caller, :mod:`pynq_ee.driver.accelerator`.

Registers are accessed as words of ``MMIO.array``: the checks of pynq's ``read`` and ``write`` take longer than the
access.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from pynq_ee.errors import DeadlineError, TransferError

# Offsets within a channel: MM2S (send) at 0x00, S2MM (receive) at 0x30.
CONTROL, STATUS, ADDRESS, ADDRESS_HIGH, LENGTH = 0x00, 0x04, 0x18, 0x1C, 0x28
SEND_BASE, RECEIVE_BASE = 0x00, 0x30

CONTROL_RUN = 1 << 0
CONTROL_RESET = 1 << 2
IRQ_ON_COMPLETE = 1 << 12
IRQ_ON_ERROR = 1 << 14
IRQS = IRQ_ON_COMPLETE | IRQ_ON_ERROR
STATUS_HALTED = 1 << 0
STATUS_IDLE = 1 << 1
ERRORS = {
    1 << 4: "internal error: more bytes arrived than the buffer holds, or a write to memory failed",
    1 << 5: "slave error: the memory refused an access",
    1 << 6: "decode error: no memory at this address",
}
ERROR_MASK = sum(ERRORS)

#: A soft reset completes within some clocks; a second is for ever.
RESET_SECONDS = 1.0


class Region(NamedTuple):
    """Memory as the DMA sees it. To ask a pynq buffer for its address takes longer than to start a transfer."""

    physical_address: int
    nbytes: int


class Status(NamedTuple):
    """One reading of a channel's status register."""

    raw: int

    @property
    def complete(self) -> bool:
        """The last transfer has completed and the channel waits for another."""
        return bool(self.raw & STATUS_IDLE)

    @property
    def halted(self) -> bool:
        """The channel does not run: after a reset, or after an error."""
        return bool(self.raw & STATUS_HALTED)

    @property
    def error(self) -> str:
        """What went wrong, in words; empty where nothing did."""
        if not self.raw & ERROR_MASK:
            return ""
        return "; ".join(text for bit, text in ERRORS.items() if self.raw & bit)


class Channel:
    """One direction of the DMA.

    Parameters
    ----------
    mmio
        pynq's MMIO of the DMA's registers.
    base
        ``SEND_BASE`` or ``RECEIVE_BASE``.
    wide_address
        The DMA has address registers of more than 32 bit.
    interrupt
        Raise the channel's interrupt when a transfer completes or fails.
    """

    def __init__(self, mmio: Any, base: int, wide_address: bool, interrupt: bool = False) -> None:
        self._words = mmio.array
        self._control, self._status, self._address, self._address_high, self._length = (
            (base + offset) >> 2 for offset in (CONTROL, STATUS, ADDRESS, ADDRESS_HIGH, LENGTH)
        )
        self._wide_address = wide_address
        self._running = CONTROL_RUN | (IRQS if interrupt else 0)

    def run(self) -> None:
        """Leave the halted state; a transfer starts when its length is written."""
        self._words[self._control] = self._running

    def reset(self) -> None:
        """Begin a soft reset, which is one for both channels."""
        self._words[self._control] = CONTROL_RESET

    def resetting(self) -> bool:
        """Whether the soft reset is under way."""
        return bool(int(self._words[self._control]) & CONTROL_RESET)

    def transfer(self, buffer: Any) -> None:
        """Start the transfer of a whole buffer, pynq's or a :class:`Region`. It has been flushed, where it is sent.

        Raises
        ------
        TransferError
            A buffer that lies beyond the 4 GB that a DMA with 32-bit addresses reaches.
        """
        address, nbytes = int(buffer.physical_address), int(buffer.nbytes)
        if not self._wide_address and address + nbytes > 1 << 32:
            raise TransferError(
                f"the buffer is at 0x{address:x}, beyond the 32-bit addresses of this DMA; "
                "build the overlay with a wider c_addr_width"
            )
        self._words[self._address] = address & 0xFFFFFFFF
        if self._wide_address:
            self._words[self._address_high] = address >> 32
        self._words[self._length] = nbytes

    def status(self) -> Status:
        """Read the status register, once."""
        return Status(int(self._words[self._status]))

    def completed(self) -> bool:
        """Whether the last transfer has completed, and without an error: one look at the status register."""
        return int(self._words[self._status]) & (STATUS_IDLE | ERROR_MASK) == STATUS_IDLE

    def transferred(self) -> int:
        """Bytes of the last completed transfer."""
        return int(self._words[self._length])

    def acknowledge(self) -> None:
        """Lower the interrupt; what happens from then on raises it again."""
        self._words[self._status] = IRQS


class AxiDma:
    """Both channels of a simple-mode AXI DMA.

    Parameters
    ----------
    mmio
        pynq's MMIO of the DMA's registers. pynq's own driver of the DMA is not used: it opens the interrupts at once,
        which needs an event loop in this very thread.
    parameters
        Of the IP, as the overlay's ``ip_dict`` has them.
    interrupt
        The receive channel's interrupt is connected to the processor.
    """

    def __init__(self, mmio: Any, parameters: Mapping[str, Any], interrupt: bool = False) -> None:
        wide = int(parameters.get("c_addr_width", 32)) > 32
        self.max_bytes = (1 << int(parameters["c_sg_length_width"])) - 1
        self.send = Channel(mmio, SEND_BASE, wide)
        self.receive = Channel(mmio, RECEIVE_BASE, wide, interrupt)

    def reset(self) -> None:
        """Soft-reset both channels (either reset resets the whole DMA) and let them run again.

        Raises
        ------
        DeadlineError
            The reset bit does not clear within a second: the DMA has no clock, or is not there.
        """
        self.send.reset()
        give_up = time.monotonic() + RESET_SECONDS
        while self.send.resetting():
            if time.monotonic() > give_up:
                raise DeadlineError(
                    f"the DMA did not leave its soft reset within {RESET_SECONDS:g} s; "
                    "its clock is stopped or the fabric is not programmed: load the overlay again"
                )
        self.receive.run()
        self.send.run()
