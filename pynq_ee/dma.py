"""The AXI DMA in direct register mode (Xilinx PG021), driven with as few register accesses as it allows.

pynq's own channel objects spin for ever in ``wait()`` and ``start()`` and read the same status several times; this
module reads it once per poll and never waits. Deadlines belong to the caller, :mod:`pynq_ee.overlay`.
"""

from __future__ import annotations

import time
from typing import Any, NamedTuple

from pynq_ee.errors import DeadlineError, TransferError

# Offsets within a channel: MM2S (send) at 0x00, S2MM (receive) at 0x30.
CONTROL, STATUS, ADDRESS, ADDRESS_HIGH, LENGTH = 0x00, 0x04, 0x18, 0x1C, 0x28
SEND_BASE, RECEIVE_BASE = 0x00, 0x30

CONTROL_RUN = 1 << 0
CONTROL_RESET = 1 << 2
CONTROL_IRQ_ON_COMPLETE = 1 << 12
STATUS_HALTED = 1 << 0
STATUS_IDLE = 1 << 1
STATUS_IRQ_ON_COMPLETE = 1 << 12
ERRORS = {
    1 << 4: "internal error: more bytes arrived than the buffer holds, or a length of zero",
    1 << 5: "slave error: the memory refused an access",
    1 << 6: "decode error: no memory at this address",
}
ERROR_MASK = sum(ERRORS)

#: A soft reset completes within some clocks; a second is for ever.
RESET_SECONDS = 1.0


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
        return "; ".join(text for bit, text in ERRORS.items() if self.raw & bit)


class Channel:
    """One direction of the DMA.

    Parameters
    ----------
    mmio
        pynq's MMIO of the DMA's registers.
    base
        :data:`SEND_BASE` or :data:`RECEIVE_BASE`.
    wide_address
        The DMA has address registers of more than 32 bit.
    interrupts
        The channel's interrupt is connected: raise it when a transfer completes.
    """

    def __init__(self, mmio: Any, base: int, wide_address: bool, interrupts: bool) -> None:
        self._mmio = mmio
        self._base = base
        self._wide_address = wide_address
        self._control = CONTROL_RUN | (CONTROL_IRQ_ON_COMPLETE if interrupts else 0)

    def run(self) -> None:
        """Leave the halted state; a transfer starts when its length is written."""
        self._mmio.write(self._base + CONTROL, self._control)

    def transfer(self, buffer: Any) -> None:
        """Start the transfer of a whole pynq buffer. The caller has flushed it, where it is sent.

        Raises
        ------
        TransferError
            A buffer that lies beyond the 4 GB that a DMA with 32-bit addresses reaches.
        """
        address = int(buffer.physical_address)
        if not self._wide_address and address + buffer.nbytes > 1 << 32:
            raise TransferError(
                f"the buffer is at 0x{address:x}, beyond the 32-bit addresses of this DMA; "
                "build the overlay with a wider c_addr_width"
            )
        self._mmio.write(self._base + ADDRESS, address & 0xFFFFFFFF)
        if self._wide_address:
            self._mmio.write(self._base + ADDRESS_HIGH, address >> 32)
        self._mmio.write(self._base + LENGTH, int(buffer.nbytes))

    def status(self) -> Status:
        """Read the status register, once."""
        return Status(self._mmio.read(self._base + STATUS))

    def transferred(self) -> int:
        """Bytes of the last completed transfer."""
        return int(self._mmio.read(self._base + LENGTH))

    def acknowledge(self) -> None:
        """Clear the completion interrupt."""
        self._mmio.write(self._base + STATUS, STATUS_IRQ_ON_COMPLETE)


class AxiDma:
    """Both channels of a simple-mode AXI DMA.

    Parameters
    ----------
    ip
        pynq's driver of the DMA (``pynq.lib.dma.DMA``), as an overlay's attribute gives it. Of it, only the
        registers and the description are used.
    """

    def __init__(self, ip: Any) -> None:
        parameters = ip.description["parameters"]
        wide = int(parameters.get("c_addr_width", 32)) > 32
        interrupts = {"mm2s_introut", "s2mm_introut"} <= set(ip.description.get("interrupts", ()))
        self._mmio = ip.mmio
        self.max_bytes = (1 << int(parameters["c_sg_length_width"])) - 1
        self.send = Channel(ip.mmio, SEND_BASE, wide, interrupts)
        self.receive = Channel(ip.mmio, RECEIVE_BASE, wide, interrupts)

    def reset(self) -> None:
        """Soft-reset both channels (either reset resets the whole DMA) and let them run again.

        Raises
        ------
        DeadlineError
            The reset bit does not clear within a second: the DMA has no clock, or is not there.
        """
        self._mmio.write(SEND_BASE + CONTROL, CONTROL_RESET)
        give_up = time.monotonic() + RESET_SECONDS
        while self._mmio.read(SEND_BASE + CONTROL) & CONTROL_RESET:
            if time.monotonic() > give_up:
                raise DeadlineError(
                    f"the DMA did not leave its soft reset within {RESET_SECONDS:g} s; "
                    "its clock is stopped or the fabric is not programmed: load the overlay again"
                )
        self.receive.run()
        self.send.run()
