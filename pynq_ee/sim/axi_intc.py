"""The AXI interrupt controller (AMD PG099) with level inputs, as far as pynq's driver uses it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

ISR, IPR, IER, IAR, SIE, CIE, IVR, MER = (4 * index for index in range(8))
MER_MASTER_ENABLE = 1 << 0
MER_HARDWARE_ENABLE = 1 << 1
IVR_NONE = 0xFFFFFFFF


class AxiIntc:
    """Registers of the controller.

    Parameters
    ----------
    inputs
        For each interrupt, by its number, a function that gives the level of its line.
    """

    def __init__(self, inputs: Sequence[Callable[[], bool]]) -> None:
        self._inputs = inputs
        self._latched = 0
        self._enabled = 0
        self._master = 0

    def _sample(self) -> int:
        """Latch the lines that are high; an input stays latched until it is acknowledged.

        They are looked at once MER enables them, and from then on: the bit cannot be cleared (PG099).
        """
        if self._master & MER_HARDWARE_ENABLE:
            for number, level in enumerate(self._inputs):
                self._latched |= level() << number
        return self._latched

    @property
    def interrupt(self) -> bool:
        """Level of the output to the processor; also of what software has raised, before the lines are enabled."""
        return bool(self._master & MER_MASTER_ENABLE and self._sample() & self._enabled)

    def read(self, offset: int) -> int:
        """Value of the register at ``offset``; 0 where there is none."""
        pending = self._sample() & self._enabled
        vector = (pending & -pending).bit_length() - 1 if pending else IVR_NONE
        return {ISR: self._latched, IPR: pending, IER: self._enabled, IVR: vector, MER: self._master}.get(offset, 0)

    def write(self, offset: int, value: int) -> None:
        """Write the register at ``offset``."""
        mask = (1 << len(self._inputs)) - 1
        if offset == ISR and not self._master & MER_HARDWARE_ENABLE:  # software raises interrupts until the lines do
            self._latched = value & mask
        elif offset == IER:
            self._enabled = value & mask
        elif offset == IAR:
            self._latched &= ~value
        elif offset == SIE:
            self._enabled |= value & mask
        elif offset == CIE:
            self._enabled &= ~value
        elif offset == MER:
            self._master = value & MER_MASTER_ENABLE | (value | self._master) & MER_HARDWARE_ENABLE
