"""The DMA's completion as something to await: its interrupt, as pynq delivers it, or a look now and then.

pynq's ``Interrupt`` finds the pin, the interrupt controller and the UIO device of ``/dev`` in the *active* device,
and reads the UIO device in the event loop that was current when it was opened. So it is made here when it first is
awaited, for this device and in the loop that runs, and made anew for another loop once that one has stopped. A loop of
another thread, meanwhile, looks now and then.
"""

from __future__ import annotations

import asyncio
from typing import Any

from pynq_ee.driver.clocks import active
from pynq_ee.driver.dma import Channel

#: Between two looks where there is no interrupt.
POLL_SECONDS = 0.0005

#: Longest time without a look at the registers where there is one: an interrupt that got lost costs no more than this.
HEARTBEAT_SECONDS = 0.05


class Completion:
    """Waits, without blocking the event loop, until the DMA may have completed a transfer.

    Parameters
    ----------
    overlay
        pynq's overlay, loaded.
    device
        pynq's device.
    pin
        The interrupt's pin, as the overlay names it.
    channel
        The channel that raises it.

    Attributes
    ----------
    reason : str
        Why there is no interrupt; empty where there is one, or it has not been awaited yet.
    """

    def __init__(self, overlay: Any, device: Any, pin: str, channel: Channel) -> None:
        self._device = device
        self._pin = pin
        self._channel = channel
        self._interrupt: Any = None
        self._controller: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.reason = "" if pin in overlay.interrupt_pins else f"the overlay connects no {pin} to the processor"

    @property
    def how(self) -> str:
        """``interrupt``, or ``polling`` and why."""
        return f"polling: {self.reason}" if self.reason else "interrupt"

    async def wait(self, seconds: float) -> None:
        """Return when the interrupt has come, after ``seconds``, or earlier: the caller looks at the registers."""
        loop = asyncio.get_running_loop()
        elsewhere = self._loop is not None and self._loop is not loop and self._loop.is_running()
        if self._loop is not loop and not elsewhere:
            self._connect(loop)
        if self._interrupt is None or elsewhere:
            await asyncio.sleep(min(max(seconds, 0), POLL_SECONDS))
            return
        try:
            await asyncio.wait_for(self._interrupt.wait(), min(max(seconds, 0), HEARTBEAT_SECONDS))
        except asyncio.TimeoutError:
            return  # nothing to acknowledge
        self._channel.acknowledge()

    def _connect(self, loop: asyncio.AbstractEventLoop) -> None:
        from pynq.interrupt import Interrupt

        self._loop, self._interrupt = loop, None
        if self.reason:
            return
        try:
            with active(self._device):
                interrupt = Interrupt(self._pin)
        except (ValueError, OSError, RuntimeError) as error:
            self.reason = f"pynq cannot use the interrupt here ({error})"
            return
        source = self._controller = interrupt.parent()  # pynq itself keeps it only until another overlay is loaded
        while hasattr(source, "parent"):
            source = source.parent
        if hasattr(source, "uio"):  # opened earlier, it is still read in the loop of that time
            loop.add_reader(source.uio, source._uio_callback)
        self._interrupt = interrupt
