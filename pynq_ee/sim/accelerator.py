"""The accelerator as the processor and the streams see it: AXI4-Lite registers and ``ap_ctrl_hs`` around a kernel.

The registers are those of :data:`pynq_ee.network.spec.REGISTERS`, with the semantics of the ``s_axilite`` adapter that
Vitis HLS 2022.1 generates: ap_start stays set until ap_ready, ap_done, ap_ready and each ``ap_vld`` bit clear when they
are read, the interrupt status toggles on write. auto_restart (bit 7) is not modelled and reads zero.

A run is one call of the kernel function, made when the run has been started and the input that it needs is there. Its
results then wait for the DMA; only when the last of them is taken is the run done, and is the input that it took
released. So a receive channel that is not armed stalls the send channel, as back-pressure does.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pynq_ee.network import spec
from pynq_ee.network.spec import REGISTER_OFFSET
from pynq_ee.sim.axi_dma import ReceiveChannel, SendChannel, Transfer
from pynq_ee.sim.kernel import Kernel, Run

_CTRL, _GIER, _IER, _ISR = (REGISTER_OFFSET[name] for name in ("CTRL", "GIER", "IP_IER", "IP_ISR"))
_IRQ_DONE, _IRQ_READY = 1 << 0, 1 << 1
_INPUTS = {register.offset: register for register in spec.REGISTERS[4:] if register.access == "read-write"}
_OUTPUTS = {register.offset: register.name for register in spec.REGISTERS if register.access == "read-only"}
_VALIDS = {offset + 4: name for offset, name in _OUTPUTS.items()}


class Accelerator:
    """Registers, run control and the two stream ports.

    Parameters
    ----------
    kernel
        What a run computes.
    beat_bytes
        Bytes of a beat of both streams.
    on_run
        Called with the number of images and the mode of each run that is computed.
    """

    def __init__(self, kernel: Kernel, beat_bytes: int, on_run: Callable[[int, int], None]) -> None:
        self.kernel = kernel
        self._beat_bytes = beat_bytes
        self._on_run = on_run
        self.reset()

    def reset(self) -> None:
        """Return to the state after ap_rst_n: a run under way is lost, with what it took and what it has not given."""
        self._values = dict.fromkeys([*(each.name for each in _INPUTS.values()), *_OUTPUTS.values()], 0)
        self._valid: set[str] = set()
        self._started = self._done = self._ready = False
        self._gier = self._ier = self._isr = 0
        self._backlog = np.empty((0, self._beat_bytes), np.uint8)
        self._backlog_last = np.empty(0, np.uint8)
        self._run: Run | None = None
        self._given = 0
        self._held: tuple[Transfer, int] | None = None

    @property
    def interrupt(self) -> bool:
        """Level of the interrupt output."""
        return bool(self._gier & 1 and self._isr)

    # Registers --------------------------------------------------------------------------------------------------

    def read(self, offset: int) -> int:
        """Value of the register at ``offset``; 0 where there is none. Address bits above the adapter's are ignored."""
        offset %= 1 << spec.REGISTER_ADDRESS_BITS
        if offset == _CTRL:
            value = (
                (spec.CTRL_START if self._started else spec.CTRL_IDLE)
                | (spec.CTRL_DONE if self._done else 0)
                | (spec.CTRL_READY if self._ready else 0)
            )
            self._done = self._ready = False
            return value
        if offset in _VALIDS:
            valid = _VALIDS[offset] in self._valid
            self._valid.discard(_VALIDS[offset])
            return int(valid)
        if offset in (_GIER, _IER, _ISR):
            return {_GIER: self._gier, _IER: self._ier, _ISR: self._isr}[offset]
        name = _INPUTS[offset].name if offset in _INPUTS else _OUTPUTS.get(offset)
        return self._values[name] if name else 0

    def write(self, offset: int, value: int) -> None:
        """Write the register at ``offset``; no effect where it is read-only or missing."""
        offset %= 1 << spec.REGISTER_ADDRESS_BITS
        if offset == _CTRL:
            self._start(bool(value & spec.CTRL_START))
        elif offset == _GIER:
            self._gier = value & 1
        elif offset == _IER:
            self._ier = value & (_IRQ_DONE | _IRQ_READY)
        elif offset == _ISR:
            self._isr ^= value & (_IRQ_DONE | _IRQ_READY)
        elif offset in _INPUTS:
            self._values[_INPUTS[offset].name] = value & ((1 << _INPUTS[offset].bits) - 1)

    def _start(self, start: bool) -> None:
        if start and not self._started:
            self._started = True
            self._arguments = tuple(self._values[name] for name in ("num_images", "mode", "feature_margin"))

    # Streams ----------------------------------------------------------------------------------------------------

    def settle(self, source: SendChannel, sink: ReceiveChannel) -> bool:
        """Do the next thing that can be done, and say whether there was one."""
        if not self._started:
            return False
        if self._run is None:
            return self._compute(source)
        if self._given < len(self._run.output):
            given = sink.accept(self._run.output[self._given :], self._run.output_last[self._given :])
            self._given += given
            return given > 0
        self._finish()
        return True

    def _compute(self, source: SendChannel) -> bool:
        images, mode, margin = self._arguments
        beats, last = source.offered() if images else (self._backlog[:0], self._backlog_last[:0])
        if images and not len(beats):
            return False
        offered = len(beats)
        if len(self._backlog):
            beats = np.concatenate([self._backlog, beats])
            last = np.concatenate([self._backlog_last, last])
        run = self.kernel(beats, last, images, mode, margin)
        if run is None:
            self._backlog, self._backlog_last = beats.copy(), last
            self._take(source.transfer, offered)
            return offered > 0
        self._run, self._given = run, 0
        if source.transfer is not None:
            self._held = source.transfer, run.consumed - len(self._backlog)
        self._backlog, self._backlog_last = self._backlog[:0], self._backlog_last[:0]
        self._on_run(images, mode)
        return True

    def _finish(self) -> None:
        assert self._run is not None
        if self._held is not None:
            self._take(*self._held)
        for name, value in self._run.registers.items():
            self._values[name] = value
            self._valid.add(name)
        self._run = self._held = None
        self._started, self._done, self._ready = False, True, True
        self._isr |= (_IRQ_DONE | _IRQ_READY) & self._ier

    def _take(self, transfer: Transfer | None, beats: int) -> None:
        if transfer is not None:
            transfer.moved = min(transfer.moved + beats * self._beat_bytes, transfer.nbytes)
