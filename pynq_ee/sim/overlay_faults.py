"""The faults of the overlay in RTL, as a table: what memory, bus and other programs can do to a circuit.

Each is asked for by its name, as those of the functional models (:mod:`pynq_ee.sim.faults`); the circuit knows nothing
of it. Which burst or word it comes with follows from a seed.
"""

from __future__ import annotations

from collections.abc import Callable

from pynq_ee.errors import DeadlineError, TransferError
from pynq_ee.network import spec
from pynq_ee.sim import axi_dma, faults
from pynq_ee.sim.injection import BATCH, Fault, Shot, Tap

#: ``enum overlay_fault_kind`` of hw/rtl/sim/overlay.h.
_READ_ANSWER, _WRITE_ANSWER, _READ_FLIP, _WRITE_FLIP = 1, 2, 3, 4
_READ_WITHHELD, _WRITE_WITHHELD, _READ_PAUSE, _WRITE_PAUSE, _READ_DEAF, _WRITE_DEAF = 5, 6, 7, 8, 9, 10
_SLVERR, _DECERR = 2, 3

_WORD_BYTES, _BURST_BYTES = 8, 128
_PAUSE_CLOCKS = 20_000

#: Bytes of an image on their way to the kernel, and those that are certain to come back.
_SENT, _RECEIVED = spec.IMAGE_PIXELS, spec.RESULT_BYTES

Start = Callable[[int], None]


def _memory(kind: int, image_bytes: int, unit: int, value: Callable[[Shot], int] = lambda shot: 0) -> dict[str, Tap]:
    """Arm a fault of memory for a burst or a word of a batch, as many bytes of which an image certainly has."""

    def start(shot: Shot, method: Start, nbytes: int) -> None:
        method(nbytes)
        images = max(nbytes // spec.DEFAULT.output_bytes(True), 1)
        after = int(shot.generator.integers(max(images * image_bytes // unit, 1)))
        shot.parts["logic"].overlay.fault(kind, after, value(shot))

    return {BATCH: start}


def _bit(shot: Shot) -> int:
    return int(shot.generator.integers(8 * _WORD_BYTES))


def _reset_by_another(shot: Shot, start: Start, nbytes: int) -> None:
    """Let another program reset the DMA while the batch is under way."""
    start(nbytes)
    logic = shot.parts["logic"]
    address = logic.dma.send.base + axi_dma.CONTROL
    clocks = int(shot.generator.integers(spec.DEFAULT.image_beats))
    logic.later(clocks, lambda: logic.write_register(address, axi_dma.CONTROL_RESET))


def _short_buffer(shot: Shot, start: Start, nbytes: int) -> None:
    """Let LENGTH arrive as that of one word."""
    start(_WORD_BYTES)


_LOADED_AGAIN = "deadline; the DMA's reset does not end either, and the bitstream is loaded again"

#: Every fault by its name.
FAULTS: dict[str, Fault] = {
    "memory: slave error of a read": Fault(
        "A burst of the images is answered with SLVERR",
        _memory(_READ_ANSWER, _SENT, _BURST_BYTES, lambda shot: _SLVERR),
        TransferError,
        "status register",
    ),
    "memory: decode error of a read": Fault(
        "A burst of the images is answered with DECERR",
        _memory(_READ_ANSWER, _SENT, _BURST_BYTES, lambda shot: _DECERR),
        TransferError,
        "status register",
    ),
    "memory: slave error of a write": Fault(
        "A burst of the results is answered with SLVERR, and not written",
        _memory(_WRITE_ANSWER, _RECEIVED, _BURST_BYTES, lambda shot: _SLVERR),
        TransferError,
        "status register",
    ),
    "memory: decode error of a write": Fault(
        "A burst of the results is answered with DECERR, and not written",
        _memory(_WRITE_ANSWER, _RECEIVED, _BURST_BYTES, lambda shot: _DECERR),
        TransferError,
        "status register",
    ),
    "memory: flipped bit of a read": Fault(
        "A bit of a word of the images is flipped on the way",
        _memory(_READ_FLIP, _SENT, _WORD_BYTES, _bit),
        TransferError,
        "images_crc",
        verify="all",
    ),
    "memory: flipped bit of a write": Fault(
        "A bit of a word of the results is flipped on the way",
        _memory(_WRITE_FLIP, _RECEIVED, _WORD_BYTES, _bit),
        TransferError,
        "results_crc",
        verify="results",
    ),
    "memory: late read": Fault(
        f"A burst of the images comes {_PAUSE_CLOCKS:,} clocks late",
        _memory(_READ_PAUSE, _SENT, _BURST_BYTES, lambda shot: _PAUSE_CLOCKS),
        None,
        "nothing is wrong: it is waited for",
    ),
    "memory: late answer to a write": Fault(
        f"The answer to a burst of the results comes {_PAUSE_CLOCKS:,} clocks late",
        _memory(_WRITE_PAUSE, _RECEIVED, _BURST_BYTES, lambda shot: _PAUSE_CLOCKS),
        None,
        "nothing is wrong: it is waited for",
    ),
    "memory: read never answered": Fault(
        "From some burst of the images on memory answers no read",
        _memory(_READ_WITHHELD, _SENT, _BURST_BYTES),
        DeadlineError,
        _LOADED_AGAIN,
        until="download",
    ),
    "memory: write never answered": Fault(
        "From some burst of the results on memory answers no write",
        _memory(_WRITE_WITHHELD, _RECEIVED, _BURST_BYTES),
        DeadlineError,
        _LOADED_AGAIN,
        until="download",
    ),
    "memory: reads never taken": Fault(
        "Memory takes no address of a read any more",
        _memory(_READ_DEAF, _SENT, _BURST_BYTES),
        DeadlineError,
        _LOADED_AGAIN,
        until="download",
    ),
    "memory: writes never taken": Fault(
        "Memory takes no word of a write any more",
        _memory(_WRITE_DEAF, _RECEIVED, _BURST_BYTES),
        DeadlineError,
        _LOADED_AGAIN,
        until="download",
    ),
    "receive channel: internal error": Fault(
        "LENGTH of the results arrives as that of one word",
        {BATCH: _short_buffer},
        TransferError,
        "status register",
    ),
    "channels: reset by another program": Fault(
        "Another program resets the DMA, and the kernel with it, in the middle of the batch",
        {BATCH: _reset_by_another},
        TransferError,
        "status register: halted",
    ),
    # What lies between the processor and the fabric's port is the same on both.
    **{
        name: faults.FAULTS[name]
        for name in (
            "registers: read as ones",
            "registers: dead",
            "memory: stale cache line",
            "memory: no invalidate",
            "memory: exhausted",
        )
    },
}
