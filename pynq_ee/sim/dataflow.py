"""A cycle model of the kernel's dataflow: what its clocks are *modelled* with, and what its FIFOs are sized by.

It knows no pixel, and of the logits only whose features follow their record. Each process of ``hw/hls`` is a loop
whose step ``i`` reads from some streams and writes to some; which ones depends on ``i`` and on that alone, so a
batch is a fixed table of steps. In a clock a process does all of this, or stands still:

- the step that enters its pipeline reads; every stream that it reads must hold a token;
- the step that entered ``depth`` clocks of its own before writes; every stream that it writes must have room.

That a pipeline stands still as a whole, with results inside, when its next input is missing is the least favourable
of the synthesizer's pipeline styles (``stp``). The network is a timed event graph: to let a process run earlier, to
make a pipeline shorter or a FIFO deeper delays nothing. So a circuit whose pipelines are no deeper than
:data:`pynq_ee.network.spec.PIPELINE_DEPTHS` and whose FIFOs are no shallower than
:data:`pynq_ee.network.spec.FIFO_DEPTHS` needs at most the clocks of the model, and does not deadlock where the model
does not.

Many stall patterns are simulated at once: every state is an array over patterns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import numpy.typing as npt

from pynq_ee.network import spec as _spec
from pynq_ee.network.spec import Spec

Steps = npt.NDArray[np.bool_]

#: A set of streams, a bit for each.
_MASK = np.uint16

#: The streams between the kernel and the DMA: no FIFOs of the kernel, but what the stall patterns stall.
IMAGES, RESULTS = "images", "results"

#: Images after which every further image takes as long as the one before it; a test compares with longer batches.
_STEADY_IMAGES = 4


@dataclass(frozen=True)
class Process:
    """One loop: for each stream that it reads or writes, a bool array over its steps that says in which."""

    name: str
    steps: int
    reads: Mapping[str, Steps] = field(default_factory=dict)
    writes: Mapping[str, Steps] = field(default_factory=dict)


@dataclass(frozen=True)
class Simulation:
    """How a batch went under each stall pattern.

    ``clocks`` int64 (patterns,): from the start until every process has ended, 0 where one never did. The last beat of
    the output has left by then.
    ``deadlock`` bool (patterns,): nothing moved in a clock in which both ends were ready, and something was left to do.
    ``most`` int64 by FIFO: the most tokens that it held under any pattern.
    """

    clocks: npt.NDArray[np.int64]
    deadlock: npt.NDArray[np.bool_]
    most: Mapping[str, int]


def processes(spec: Spec, images: int, features: bool, follow: npt.ArrayLike = True) -> tuple[Process, ...]:
    """The kernel's processes for a batch of ``images``, as ``hw/hls`` has them.

    Parameters
    ----------
    spec
        The fabric.
    images
        Images of the batch.
    features
        Whether features are asked for.
    follow
        bool, or bool (images,): whose features follow their record, where they are asked for.
    """
    image = np.arange(images * spec.image_beats)
    ends = image % spec.image_beats == spec.image_beats - 1
    found = [
        Process("unframe", len(image), {IMAGES: _all(image)}, {"words": _all(image), "flags": ends}),
        _trunk(spec, images, features),
        _branch(spec, images),
        _classifier(spec, images),
    ]
    if features:
        found.append(_pack_features(spec, images))
    image_steps = spec.output_beats(features)
    step = np.tile(np.arange(image_steps), images)
    of_record = step < spec.result_beats
    sources = {"records": of_record}
    if features:
        sources["features"] = ~of_record
    sent = of_record | np.repeat(np.broadcast_to(follow, images), image_steps)
    flags = step == spec.result_beats - 1
    found += [
        Process("merge", len(step), sources, {"merged": sent}),
        Process("frame", len(step), {"merged": sent, "flags": flags}, {RESULTS: sent}),
    ]
    return tuple(found)


def _all(steps: npt.NDArray[np.int64]) -> Steps:
    return np.ones(len(steps), bool)


def _trunk(spec: Spec, images: int, features: bool) -> Process:
    groups = spec.pixels_per_beat // _spec.GROUP_PIXELS
    row_groups = _spec.IMAGE_SIDE // _spec.GROUP_PIXELS
    lag = -(-(spec.trunk.padding * row_groups + 1) // groups) + (row_groups // groups if groups > 1 else 0)
    inputs = images * spec.image_beats
    step = np.arange(inputs + lag)
    emits = step >= lag
    if groups == 1:  # a token in each beat of an odd row
        emits &= (step - lag) // row_groups % _spec.POOL == 1
    outputs = {"tokens": emits} | ({"feature_tokens": emits} if features else {})
    return Process("trunk", len(step), {"words": step < inputs}, outputs)


def _branch(spec: Spec, images: int) -> Process:
    interval, row_tokens = spec.branch_interval, spec.branch.side // _spec.TOKEN_POSITIONS
    inputs, lag = images * spec.trunk_tokens, row_tokens + 1
    step = np.arange((inputs + lag) * interval)
    token, phase = step // interval, step % interval
    emits = (phase == interval - 1) & (token >= lag) & ((token - lag) // row_tokens % _spec.POOL == 1)
    return Process("branch", len(step), {"tokens": (phase == 0) & (token < inputs)}, {"pooled": emits})


def _classifier(spec: Spec, images: int) -> Process:
    interval = spec.classifier_interval
    image_steps = spec.branch_tokens * interval
    step = np.arange(images * image_steps + spec.result_beats)
    reads = (step % interval == 0) & (step < images * image_steps)
    emits = (step >= image_steps) & (step % image_steps < spec.result_beats)
    return Process("classifier", len(step), {"pooled": reads}, {"records": emits})


def _pack_features(spec: Spec, images: int) -> Process:
    interval = spec.branch_interval
    image_steps = spec.trunk_tokens * interval
    token_bits = 8 * spec.feature_bytes // spec.trunk_tokens
    partial = bool(spec.feature_bytes % spec.beat_bytes)
    emits, pending = np.zeros(image_steps, bool), 0
    for image_step in range(image_steps):
        pending += token_bits if image_step % interval == 0 else 0
        emits[image_step] = pending >= spec.beat_bits
        pending -= spec.beat_bits if emits[image_step] else 0
    step = np.arange(images * image_steps + partial)
    writes = emits[step % image_steps] & (step < images * image_steps)
    if partial:  # leaves with the next image's first token
        writes |= (step % image_steps == 0) & (step > 0)
    reads = (step % interval == 0) & (step < images * image_steps)
    return Process("pack_features", len(step), {"feature_tokens": reads}, {"features": writes})


def simulate(
    spec: Spec,
    images: int,
    features: bool,
    stalls: Iterator[tuple[Steps, Steps]] | None = None,
    depths: Mapping[str, int] = _spec.FIFO_DEPTHS,
    pipelines: Mapping[str, int] = _spec.PIPELINE_DEPTHS,
    on_clock: Callable[[Steps], None] | None = None,
    follow: npt.ArrayLike = True,
) -> Simulation:
    """Run a batch through the dataflow, clock by clock.

    Parameters
    ----------
    spec
        The fabric.
    images
        Images of the batch, at least 1.
    features, follow
        Whether features are asked for, and whose then follow; see :func:`processes`.
    stalls
        For each clock two bool arrays (patterns,): the input has a beat, the output takes one. One pattern that never
        stalls if it is left out.
    depths, pipelines
        Tokens that each FIFO holds; clocks from a step's reads to its writes, for each process.
    on_clock
        Called at every clock after the first ``START_CLOCKS`` with a bool array (processes, patterns): which processes
        move in it, in the order of :func:`processes`.
    """
    network = processes(spec, images, features, follow)
    streams = [IMAGES, RESULTS, *(name for process in network for name in process.writes if name != RESULTS)]
    fifos = streams[2:]
    bits = np.array([[1 << streams.index(name)] for name in fifos], _MASK)
    capacity = np.array([[depths[name]] for name in fifos])
    totals, tables = _tables(network, streams, pipelines)
    rows = np.arange(len(network))[:, None]

    stalls = stalls or _always()
    ready_in, ready_out = next(stalls)
    patterns = len(ready_in)
    advances = np.zeros((len(network), patterns), np.int64)
    held = np.zeros((len(fifos), patterns), np.int16)
    most = np.zeros(len(fifos), np.int16)
    clocks, deadlock = np.zeros(patterns, np.int64), np.zeros(patterns, bool)
    clock = _spec.START_CLOCKS
    while True:
        clock += 1
        empty = np.bitwise_or.reduce((held == 0) * bits) | ~ready_in * _MASK(1 << streams.index(IMAGES))
        full = np.bitwise_or.reduce((held >= capacity) * bits) | ~ready_out * _MASK(1 << streams.index(RESULTS))
        reads, writes = tables[:, rows, advances]
        moves = (advances < totals) & (reads & empty | writes & full == 0)
        advances += moves
        if on_clock is not None:
            on_clock(moves)
        taken, given = np.bitwise_or.reduce(np.stack([reads, writes]) * moves, axis=1)
        held += given & bits != 0
        held -= (taken & bits != 0).astype(np.int16)
        np.maximum(most, held.max(1), out=most)

        done = (advances == totals).all(0)
        clocks[done & (clocks == 0)] = clock
        deadlock |= ~moves.any(0) & ready_in & ready_out & ~done
        if (done | deadlock).all():
            return Simulation(clocks, deadlock, dict(zip(fifos, most.tolist())))
        ready_in, ready_out = next(stalls)


def _tables(
    network: tuple[Process, ...], streams: list[str], pipelines: Mapping[str, int]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint16]]:
    """For each process the count of its advances, and what each of them reads and writes, a bit for each stream.

    Advance ``n`` of a pipeline reads for step ``n`` and writes for step ``n - depth``.
    """
    totals = np.array([[process.steps + pipelines[process.name]] for process in network])
    tables = np.zeros((2, len(network), totals.max() + 1), _MASK)
    for row, process in enumerate(network):
        for kind, delay, named in ((0, 0, process.reads), (1, pipelines[process.name], process.writes)):
            for name, table in named.items():
                tables[kind, row, delay : delay + process.steps] |= table * _MASK(1 << streams.index(name))
    return totals, tables


def _always() -> Iterator[tuple[Steps, Steps]]:
    while True:
        yield np.ones(1, bool), np.ones(1, bool)


def random_stalls(patterns: int, seed: int) -> Iterator[tuple[Steps, Steps]]:
    """Stalls of both ends, independent, in runs of random mean length; each pattern has its own rates.

    A pattern's ends are ready for a share of the time between a fifth and all of it, in runs of 1 to 200 clocks.
    """
    random = np.random.default_rng(seed)
    share = np.minimum(random.uniform(0.2, 1.2, (2, patterns)), 1.0)
    run = np.exp(random.uniform(0, np.log(200), (2, patterns)))
    ready = random.random((2, patterns)) < share
    while True:
        yield ready[0].copy(), ready[1].copy()
        redrawn = random.random((2, patterns)) < 1 / run
        ready = np.where(redrawn, random.random((2, patterns)) < share, ready)


@cache
def batch_clocks(spec: Spec, images: int, features: bool) -> int:
    """Clocks of the fabric from the start of a batch to its end (*modelled*), both ends always ready.

    Whose features follow makes no difference. Simulated up to the steady state; each further image takes
    ``image_beats``.
    """
    if images == 0:
        return _spec.START_CLOCKS
    simulated = min(images, _STEADY_IMAGES)
    return int(simulate(spec, simulated, features).clocks[0]) + (images - simulated) * spec.image_beats
