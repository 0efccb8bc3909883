"""What each fault does to the simulated board: functions for its taps (:mod:`pynq_ee.sim.injection`).

A tap has its shot and the tapped method before the method's own arguments. A function here that makes taps returns
them by the point that they act at. Runs of no images, which only publish the identity, are let through: a fault comes
with a batch.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from pynq_ee.network import spec
from pynq_ee.sim import axi_dma
from pynq_ee.sim.dram import MemoryLimitError
from pynq_ee.sim.injection import Shot, Tap
from pynq_ee.sim.kernel import Kernel, Run

#: Bytes of a cache line of the Cortex-A9 (the A53 has 64).
CACHE_LINE_BYTES = 32

#: Places in the results of one image.
FEATURES, LOGITS = slice(None, -spec.RESULT_BYTES), slice(-spec.RESULT_BYTES, -4)
SEQUENCE, FLAGS = slice(-4, -2), slice(-2, None)

_ONES = 0xFFFFFFFF

Bytes = npt.NDArray[np.uint8]
#: Beats (n, bytes) and TLAST (n,) to what becomes of them.
Change = Callable[[np.random.Generator, Bytes, Bytes], tuple[Bytes, Bytes]]

# Streams -------------------------------------------------------------------------------------------------------------


def early(generator: np.random.Generator, beats: Bytes, last: Bytes) -> tuple[Bytes, Bytes]:
    """Move TLAST to a beat before the last one."""
    moved = np.zeros_like(last)
    moved[generator.integers(len(last) - 1)] = 1
    return beats, moved


def late(generator: np.random.Generator, beats: Bytes, last: Bytes) -> tuple[Bytes, Bytes]:
    """Append a beat, and move TLAST to it."""
    moved = np.zeros(len(last) + 1, np.uint8)
    moved[-1] = 1
    return np.concatenate([beats, beats[-1:]]), moved


def missing(generator: np.random.Generator, beats: Bytes, last: Bytes) -> tuple[Bytes, Bytes]:
    """Take TLAST away."""
    return beats, np.zeros_like(last)


def double(generator: np.random.Generator, beats: Bytes, last: Bytes) -> tuple[Bytes, Bytes]:
    """Put a TLAST on a beat before the last one as well."""
    return beats, last | early(generator, beats, last)[1]


def lost(generator: np.random.Generator, beats: Bytes, last: Bytes) -> tuple[Bytes, Bytes]:
    """Leave out a beat; not the last one, with which TLAST would be lost: a fault of its own."""
    index = generator.integers(len(last) - 1)
    return np.delete(beats, index, 0), np.delete(last, index)


def repeated(generator: np.random.Generator, beats: Bytes, last: Bytes) -> tuple[Bytes, Bytes]:
    """Send a beat twice; not the last one, for its TLAST would be sent twice."""
    index = generator.integers(len(last) - 1)
    return np.insert(beats, index, beats[index], 0), np.insert(last, index, 0)


def flipped(generator: np.random.Generator, beats: Bytes, last: Bytes) -> tuple[Bytes, Bytes]:
    """Flip a bit."""
    return _flip(generator, beats), last


def _flip(generator: np.random.Generator, values: Bytes) -> Bytes:
    """Return a copy with one bit of it flipped."""
    copy = np.array(values)
    copy[tuple(generator.integers(copy.shape))] ^= 1 << int(generator.integers(8))
    return copy


def image_stream(change: Change) -> dict[str, Tap]:
    """Change the beats of a batch's images on their way into the kernel."""

    def kernel(shot: Shot, run: Kernel, beats: Bytes, last: Bytes, images: int, mode: int) -> Run | None:
        if not images or not last.any():
            return run(beats, last, images, mode)
        changed, changed_last = change(shot.generator, beats, last)
        result = run(np.ascontiguousarray(changed), changed_last, images, mode)
        if result is None:
            return None
        whole = result.consumed == len(changed)
        return result._replace(consumed=len(beats) if whole else min(result.consumed, len(beats)))

    return {"accelerator.kernel": kernel}


def result_stream(change: Change) -> dict[str, Tap]:
    """Change the beats of a batch's results on their way out of the kernel."""

    def kernel(shot: Shot, run: Kernel, beats: Bytes, last: Bytes, images: int, mode: int) -> Run | None:
        result = run(beats, last, images, mode)
        if not images or result is None:
            return result
        output, output_last = change(shot.generator, result.output, result.output_last)
        return result._replace(output=np.ascontiguousarray(output), output_last=output_last)

    return {"accelerator.kernel": kernel}


def flipped_in(columns: slice) -> dict[str, Tap]:
    """Flip a bit of one image's results, at a place within them."""

    def kernel(shot: Shot, run: Kernel, beats: Bytes, last: Bytes, images: int, mode: int) -> Run | None:
        result = run(beats, last, images, mode)
        if not images or result is None:
            return result
        rows = result.output.reshape(images, -1).copy()
        if rows[:, columns].size:  # no features, where none are asked for
            rows[:, columns] = _flip(shot.generator, rows[:, columns])
        return result._replace(output=rows.reshape(result.output.shape))

    return {"accelerator.kernel": kernel}


# DMA and kernel ------------------------------------------------------------------------------------------------------


def error(channel: str, bit: int) -> dict[str, Tap]:
    """Halt a channel with an error bit in the middle of a batch."""

    def kernel(shot: Shot, run: Kernel, beats: Bytes, last: Bytes, images: int, mode: int) -> Run | None:
        if not images:
            return run(beats, last, images, mode)
        getattr(shot.parts["dma"], channel).fail(bit)
        return None if channel == "send" else run(beats, last, images, mode)

    return {"accelerator.kernel": kernel}


def stuck_send(shot: Shot, settle: Callable[[], bool]) -> bool:
    """Send every byte and never become idle."""
    transfer = shot.parts["dma"].send.transfer
    return settle() if transfer is None or transfer.left else False


def stuck_receive(shot: Shot, complete: Callable[[], None]) -> None:
    """Receive every byte and never become idle."""
    shot.parts["dma"].receive.transfer = None


def reset_by_another(shot: Shot, run: Kernel, beats: Bytes, last: Bytes, images: int, mode: int) -> Run | None:
    """Reset the DMA, and the kernel with it, in the middle of a batch."""
    if not images:
        return run(beats, last, images, mode)
    shot.parts["dma"].write(axi_dma.CONTROL, axi_dma.CONTROL_RESET)
    return None


def hang(shot: Shot, run: Kernel, beats: Bytes, last: Bytes, images: int, mode: int) -> Run | None:
    """Take the images and give nothing."""
    return None if images else run(beats, last, images, mode)


def never_done(shot: Shot, read: Callable[[int], int], offset: int) -> int:
    """Read CTRL as busy."""
    value = read(offset)
    busy = value & ~(spec.CTRL_DONE | spec.CTRL_IDLE | spec.CTRL_READY) | spec.CTRL_START
    return busy if offset == spec.REGISTER_OFFSET["CTRL"] else value


def accept_nothing(shot: Shot, accept: Callable[[Bytes, Bytes], int], beats: Bytes, last: Bytes) -> int:
    """Refuse every beat of the results."""
    return 0


def offer_nothing(shot: Shot, offered: Callable[[], tuple[Bytes, Bytes]]) -> tuple[Bytes, Bytes]:
    """Offer no beat of the images: what the DMA sees of a kernel that is never ready."""
    beats, last = offered()
    return beats[:0], last[:0]


def slow(seconds: float) -> dict[str, Tap]:
    """Give the results, and be done, only after a time.

    For a board on which everything happens within register accesses; one with a time of its own has its ``pace``.
    """

    def accept(shot: Shot, method: Callable[[Bytes, Bytes], int], beats: Bytes, last: Bytes) -> int:
        begin = shot.memory.setdefault("begin", time.monotonic())
        return method(beats, last) if time.monotonic() - begin >= seconds else 0

    return {"dma.receive.accept": accept}


def read_ones(shot: Shot, read: Callable[[int], int], offset: int) -> int:
    """Read a register where nothing drives the bus."""
    return _ONES


def reprogram(shot: Shot, start: Callable[[int], None], nbytes: int) -> None:
    """Put another circuit into the fabric, in the state after programming, as another process would."""
    dma, accelerator = shot.parts["dma"], shot.parts["accelerator"]
    kernel: Kernel = accelerator.kernel

    def foreign(beats: Bytes, last: Bytes, images: int, mode: int) -> Run | None:
        result = kernel(beats, last, images, mode)
        if result is None:
            return None
        rows = result.output.reshape(max(images, 1), -1).copy()
        rows[:, LOGITS] ^= 0xFF  # well-formed results of another network
        registers = {**result.registers, "build_id": result.registers["build_id"] ^ _ONES}
        return result._replace(output=rows.reshape(result.output.shape), registers=registers)

    accelerator.kernel = foreign
    accelerator.reset()
    dma.write(axi_dma.CONTROL, axi_dma.CONTROL_RESET)
    start(nbytes)


# Memory --------------------------------------------------------------------------------------------------------------


def stale_line(shot: Shot, invalidate: Callable[..., None], bo: Any, offset: int, ptr: int, size: int) -> None:
    """Leave one cache line of the host's copy as it is."""
    first, end = bo.address + offset, bo.address + offset + size
    line = int(shot.generator.integers(first // CACHE_LINE_BYTES, -(-end // CACHE_LINE_BYTES))) * CACHE_LINE_BYTES
    stale = slice(max(line, first) - bo.address, min(line + CACHE_LINE_BYTES, end) - bo.address)
    kept = bo.host[stale].copy()
    invalidate(bo, offset, ptr, size)
    bo.host[stale] = kept


def no_invalidate(shot: Shot, invalidate: Callable[..., None], *arguments: Any) -> None:
    """Leave the host's copy as it is."""


def exhausted(shot: Shot, allocate: Callable[[int], int], nbytes: int) -> int:
    """Have no memory."""
    raise MemoryLimitError(f"Allocate failed: {nbytes} bytes of contiguous memory asked for, injected: none is free")
