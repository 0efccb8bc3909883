"""What each fault does to the simulated board: functions for its taps (:mod:`pynq_ee.sim.injection`).

A tap has its shot and the tapped method before the method's own arguments. A function here that makes taps returns
them by the point that they act at. Runs of no images, which only publish the identity, are let through: a fault comes
with a batch.
"""

from __future__ import annotations

import time
import zlib
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

#: Places in the record of one image.
LOGITS, SEQUENCE, FLAGS = slice(0, -4), slice(-4, -2), slice(-2, None)

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

    def kernel(shot: Shot, run: Kernel, beats: Bytes, last: Bytes, images: int, mode: int, margin: int) -> Run | None:
        if not images or not last.any():
            return run(beats, last, images, mode, margin)
        changed, changed_last = change(shot.generator, beats, last)
        result = run(np.ascontiguousarray(changed), changed_last, images, mode, margin)
        if result is None:
            return None
        whole = result.consumed == len(changed)
        return result._replace(consumed=len(beats) if whole else min(result.consumed, len(beats)))

    return {"accelerator.kernel": kernel}


def result_stream(change: Change) -> dict[str, Tap]:
    """Change the beats of a batch's results on their way out of the kernel."""

    def kernel(shot: Shot, run: Kernel, beats: Bytes, last: Bytes, images: int, mode: int, margin: int) -> Run | None:
        result = run(beats, last, images, mode, margin)
        if not images or result is None:
            return result
        output, output_last = change(shot.generator, result.output, result.output_last)
        return result._replace(output=np.ascontiguousarray(output), output_last=output_last)

    return {"accelerator.kernel": kernel}


def _results(change: Callable[[np.random.Generator, Run, int], Run]) -> dict[str, Tap]:
    """Change what a batch of so many images gives."""

    def kernel(shot: Shot, run: Kernel, beats: Bytes, last: Bytes, images: int, mode: int, margin: int) -> Run | None:
        result = run(beats, last, images, mode, margin)
        return change(shot.generator, result, images) if images and result is not None else result

    return {"accelerator.kernel": kernel}


def _places(run: Run, images: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], int]:
    """Beats at which the images' records begin, those at which the features begin that follow, and beats of features.

    Both as they are marked by the flags: what is changed has not been changed before, or is no whole batch any more.
    """
    numbers = spec.Spec(pixels_per_beat=run.output.shape[1])
    records: list[int] = []
    features: list[int] = []
    place = 0
    while len(records) < images and place + numbers.result_beats <= len(run.output):
        records.append(place)
        place += numbers.result_beats
        if run.output[place - 1, -2] & spec.RESULT_FEATURES and place + numbers.feature_beats <= len(run.output):
            features.append(place)
            place += numbers.feature_beats
    return np.array(records, np.intp), np.array(features, np.intp), numbers.feature_beats


def flipped_in(field: slice) -> dict[str, Tap]:
    """Flip a bit of one image's record, in a field of it."""

    def change(generator: np.random.Generator, run: Run, images: int) -> Run:
        output = run.output.copy()
        record = output.reshape(-1)[int(generator.choice(_places(run, images)[0])) * output.shape[1] :]
        record = record[: spec.RESULT_BYTES]
        record[field] = _flip(generator, record[field])
        return run._replace(output=output)

    return _results(change)


def flipped_in_features(generator: np.random.Generator, run: Run, images: int) -> Run:
    """Flip a bit of one image's features; of any beat, where no features are sent."""
    _, features, beats = _places(run, images)
    output = run.output.copy()
    start = int(generator.choice(features)) if len(features) else 0
    part = slice(start, start + beats) if len(features) else slice(None)
    output[part] = _flip(generator, output[part])
    return run._replace(output=output)


def wrong_flag(generator: np.random.Generator, run: Run, images: int) -> Run:
    """Say the contrary of whether one image's features follow, under a checksum that is right."""
    output = run.output.copy()
    record = int(generator.choice(_places(run, images)[0]))
    output.reshape(-1)[record * output.shape[1] + spec.RESULT_BYTES - 2] ^= spec.RESULT_FEATURES
    return _with_checksum(run, output, run.output_last)


def truncated_features(generator: np.random.Generator, run: Run, images: int) -> Run:
    """End one image's features a beat early, or its record where none are sent, under a checksum that is right."""
    records, features, beats = _places(run, images)
    numbers = spec.Spec(pixels_per_beat=run.output.shape[1])
    ends = features + beats if len(features) else records + numbers.result_beats
    beat = int(generator.choice(ends)) - 1
    last = np.delete(run.output_last, beat)
    last[-1] = 1
    return _with_checksum(run, np.delete(run.output, beat, 0), last)


def _with_checksum(run: Run, output: Bytes, last: Bytes) -> Run:
    registers = {**run.registers, "results_crc": zlib.crc32(np.ascontiguousarray(output).data)}
    return run._replace(output=output, output_last=last, registers=registers)


def lying(name: str) -> dict[str, Tap]:
    """Publish a checksum of which a bit is flipped."""

    def change(generator: np.random.Generator, run: Run, images: int) -> Run:
        value = run.registers[name] ^ 1 << int(generator.integers(32))
        return run._replace(registers={**run.registers, name: value})

    return _results(change)


def endless(generator: np.random.Generator, run: Run, images: int) -> Run:
    """Take TLAST away, and go on for more beats than there may be."""
    surplus = images * spec.Spec(pixels_per_beat=run.output.shape[1]).output_beats(True)
    output = np.concatenate([run.output, np.zeros((surplus, run.output.shape[1]), np.uint8)])
    return run._replace(output=output, output_last=np.zeros(len(output), np.uint8))


#: By their names in the table.
FLIPPED_IN_FEATURES, WRONG_FLAG, TRUNCATED_FEATURES, ENDLESS = map(
    _results, (flipped_in_features, wrong_flag, truncated_features, endless)
)

# DMA and kernel ------------------------------------------------------------------------------------------------------


def error(channel: str, bit: int) -> dict[str, Tap]:
    """Halt a channel with an error bit in the middle of a batch."""

    def kernel(shot: Shot, run: Kernel, beats: Bytes, last: Bytes, images: int, mode: int, margin: int) -> Run | None:
        if not images:
            return run(beats, last, images, mode, margin)
        getattr(shot.parts["dma"], channel).fail(bit)
        return None if channel == "send" else run(beats, last, images, mode, margin)

    return {"accelerator.kernel": kernel}


def stuck_send(shot: Shot, settle: Callable[[], bool]) -> bool:
    """Send every byte and never become idle."""
    transfer = shot.parts["dma"].send.transfer
    return settle() if transfer is None or transfer.left else False


def stuck_receive(shot: Shot, complete: Callable[[], None]) -> None:
    """Receive every byte and never become idle."""
    shot.parts["dma"].receive.transfer = None


def reset_by_another(
    shot: Shot, run: Kernel, beats: Bytes, last: Bytes, images: int, mode: int, margin: int
) -> Run | None:
    """Reset the DMA, and the kernel with it, in the middle of a batch."""
    if not images:
        return run(beats, last, images, mode, margin)
    shot.parts["dma"].write(axi_dma.CONTROL, axi_dma.CONTROL_RESET)
    return None


def hang(shot: Shot, run: Kernel, beats: Bytes, last: Bytes, images: int, mode: int, margin: int) -> Run | None:
    """Take the images and give nothing."""
    return None if images else run(beats, last, images, mode, margin)


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

    def foreign(beats: Bytes, last: Bytes, images: int, mode: int, margin: int) -> Run | None:
        result = kernel(beats, last, images, mode, margin)
        if result is None:
            return None
        output = result.output.copy()
        for place in _places(result, images)[0]:  # well-formed results of another network
            output.reshape(-1)[place * output.shape[1] :][: spec.RESULT_BYTES][LOGITS] ^= 0xFF
        registers = {**result.registers, "build_id": result.registers["build_id"] ^ _ONES}
        return _with_checksum(result._replace(registers=registers), output, result.output_last)

    accelerator.kernel = foreign
    accelerator.reset()
    dma.write(axi_dma.CONTROL, axi_dma.CONTROL_RESET)
    start(nbytes)


# Memory --------------------------------------------------------------------------------------------------------------


def stale_line(shot: Shot, invalidate: Callable[..., None], bo: Any, offset: int, ptr: int, size: int) -> None:
    """Leave one cache line of the host's copy as it is: one of those that hold something else than the memory."""
    first, end = bo.address + offset, bo.address + offset + size
    before = bo.host.copy()
    invalidate(bo, offset, ptr, size)
    lines = range(first // CACHE_LINE_BYTES * CACHE_LINE_BYTES, end, CACHE_LINE_BYTES)
    parts = [slice(max(line, first) - bo.address, min(line + CACHE_LINE_BYTES, end) - bo.address) for line in lines]
    stale = [part for part in parts if not np.array_equal(before[part], bo.host[part])]
    if stale:
        part = stale[int(shot.generator.integers(len(stale)))]
        bo.host[part] = before[part]


def no_invalidate(shot: Shot, invalidate: Callable[..., None], *arguments: Any) -> None:
    """Leave the host's copy as it is."""


def exhausted(shot: Shot, allocate: Callable[[int], int], nbytes: int) -> int:
    """Have no memory."""
    raise MemoryLimitError(f"Allocate failed: {nbytes} bytes of contiguous memory asked for, injected: none is free")
