"""The paper's tables 1 and 3: the network without early exits, with them, and with the first exit in the fabric.

*Without* and *with* early exits are all software, *measured*. With the first exit in the fabric, calls are *measured*
on a board. On a host, the driver runs on a board whose results are known beforehand, which *measures* the host's
whole work; the fabric's time, clocks by the cycle model over the clock's frequency, is *modelled*; and
:mod:`pynq_ee.bench.host.driver` puts both on the driver's time line. All candidates are measured in turns.
"""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pynq_ee import remainder
from pynq_ee.bench import energy, engines, timing
from pynq_ee.bench.host import driver
from pynq_ee.bench.host.driver import Chunks, HostWork
from pynq_ee.bench.paper import software
from pynq_ee.errors import ToolError
from pynq_ee.inference import EarlyExitInference
from pynq_ee.network import fabric, spec
from pynq_ee.network.weights import Model

Progress = Callable[[str], None]
Row = dict[str, Any]

#: Clock of the modelled fabric: the smallest board's.
CLOCK_MHZ = spec.DEFAULT_BOARD.clock_mhz

#: Batches of one are measured on so many images, a large batch on all.
SINGLES = 300

#: Batches on which the remainder is timed with every image reaching it.
REMAINDER_CHUNKS = 8

#: Counters of energy tick in milliseconds: a measurement takes at least so many seconds.
ENERGY_SECONDS = 0.3


@dataclass(frozen=True)
class Settings:
    """How much is measured."""

    batches: tuple[int, ...] = (1, 256)
    repetitions: int = 5
    images: int = 10_000
    engines: tuple[str, ...] = tuple(engines.MODULES)
    threads: tuple[int, ...] = (1, os.cpu_count() or 1)
    remainders: tuple[str, ...] = tuple(remainder.ENGINES)
    pixels_per_beat: tuple[int, ...] = (4, 8)


QUICK = Settings(
    batches=(1, 256),
    repetitions=3,
    images=1024,
    engines=tuple(name for name in engines.MODULES if name not in engines.SLOW_TO_BUILD),
    threads=(1,),
    remainders=tuple(name for name in remainder.ENGINES if name != "torch"),
)


@dataclass
class _Candidate:
    """Something to be measured: its row so far, and a function that takes one sample of it."""

    row: Row
    sample: Callable[[], Any]
    run: timing.Run | None = None


def measure(
    model: Model,
    images: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.int64],
    settings: Settings,
    *,
    device: Any = None,
    progress: Progress = lambda text: None,
) -> dict[str, Any]:
    """Measure one network.

    Parameters
    ----------
    images, labels
        uint8 (N, 28, 28) and int64 (N,).
    device
        A board that holds the model's overlay; None: the fabric is modelled.
    progress
        Called with a line of text before each part.

    Returns
    -------
    ``rows`` (one for each way, engine, batch and number of threads) and ``left_out`` (engine: reason).

    Raises
    ------
    ToolError
        Two engines whose outputs differ, or threadpoolctl is missing.
    """
    rows: list[Row] = []
    left_out = {name: "not asked for" for name in engines.MODULES if name not in settings.engines}
    for threads in dict.fromkeys(settings.threads):
        for batch in settings.batches:
            progress(f"{model.network}: batch {batch}, {threads} thread{'s' * (threads > 1)}")
            count = min(settings.images, len(images), len(images) if batch > 1 else SINGLES)
            chosen = np.linspace(0, len(images) - 1, count).astype(int)
            chunks = timing.chunks_of(images[chosen], batch)
            truth = labels[chosen][: len(chunks) * batch]
            with timing.threads_limited(threads), ExitStack() as stack:
                common = {"batch": batch, "threads": threads}
                candidates = _software(model, chunks, truth, settings, common, left_out)
                candidates += _fabric(model, chunks, truth, settings, common, left_out, device, stack)
                rows += _measured(candidates, chunks, settings)
    return {"network": model.network, "thresholds": list(model.thresholds), "rows": rows, "left_out": left_out}


def _software(
    model: Model,
    chunks: Chunks,
    truth: npt.NDArray[np.int64],
    settings: Settings,
    common: Row,
    left_out: dict[str, str],
) -> list[_Candidate]:
    built = {}
    for name in settings.engines:
        if name in engines.SLOW_TO_BUILD and common["threads"] != settings.threads[0]:
            left_out[f"{name}, {common['threads']} threads"] = "slow to build; measured at the first number of threads"
        elif name not in left_out:
            try:
                built[name] = engines.build(name, model, common["threads"], common["batch"])
            except ToolError as error:
                left_out[name] = str(error)
    software.cross_check(built, chunks[0])
    deciders = software.deciders(model)
    candidates = []
    for name, engine in built.items():
        # One that is compiled for each size takes the batch whole.
        at_once = common["batch"] if name in engines.SLOW_TO_BUILD else engines.best_part(engine, chunks[0])
        engine = engines.in_parts(engine, at_once)
        row = {**common, "engine": name, "version": engine.version, "kind": "measured", "images": len(truth)}
        row["images_at_once"] = at_once
        plain = np.concatenate([engine.plain(chunk).argmax(1) for chunk in chunks])
        early = software.EarlyExit(engine, model.thresholds, deciders)
        found = driver.summary([early(chunk) for chunk in chunks], truth, model.exits)
        for way, run, facts in (
            ("without", engine.plain, {"accuracy": float(np.mean(plain == truth))}),
            ("with", early, found),
        ):
            candidates.append(_Candidate({**row, "way": way, **facts}, _sampler(run, chunks), run))
    return candidates


def _sampler(run: timing.Run, chunks: Chunks) -> Callable[[], Any]:
    return lambda: timing.wall(run, chunks)


def _fabric(
    model: Model,
    chunks: Chunks,
    truth: npt.NDArray[np.int64],
    settings: Settings,
    common: Row,
    left_out: dict[str, str],
    device: Any,
    stack: ExitStack,
) -> list[_Candidate]:
    from pynq_ee.sim.replay import ReplayDevice

    batch, candidates = common["batch"], []
    for name in settings.remainders:
        board = device if device is not None else stack.enter_context(ReplayDevice(model, np.concatenate(chunks)))
        try:
            network = stack.enter_context(
                EarlyExitInference(model, device=board, remainder=name, images_per_transfer=batch, threads=1)
            )
        except ToolError as error:
            left_out[f"remainder {name}"] = str(error)
            continue
        found = driver.outcome(list(driver.predictions(network, chunks, batch > 1)), truth, model.exits)
        features = [fabric.trunk(chunk, model) for chunk in chunks[:REMAINDER_CHUNKS]]
        row = {
            **common,
            "way": "fabric",
            "engine": f"fabric + {name}",
            "images": len(truth),
            "remainder_seconds": software.remainder_seconds(remainder.stages(name, model), features),
            **found,
        }
        sample = (_on_board if device is not None else _on_host)(network, board, chunks)
        candidates.append(_Candidate(row, sample))
    return candidates


def _on_board(network: EarlyExitInference, board: Any, chunks: Chunks) -> Callable[[], Any]:
    return lambda: driver.measured(network, chunks, len(chunks[0]) > 1)


def _on_host(network: EarlyExitInference, board: Any, chunks: Chunks) -> Callable[[], Any]:
    return lambda: driver.host_work(network, board, chunks, len(chunks[0]) > 1)


def _measured(candidates: list[_Candidate], chunks: Chunks, settings: Settings) -> list[Row]:
    samples = timing.in_turns(
        {str(number): candidate.sample for number, candidate in enumerate(candidates)}, settings.repetitions
    )
    images = np.full(len(chunks), len(chunks[0]))
    meter, constants, rows = energy.meter(), energy.model_for(), []
    for number, candidate in enumerate(candidates):
        taken = samples[str(number)]
        if isinstance(taken[0], HostWork):
            rows += [_modelled(candidate.row, taken, images, pixels, constants) for pixels in settings.pixels_per_beat]
            continue
        row = {"kind": "measured", **candidate.row, **timing.Timing(np.stack(taken), images).as_dict()}
        if candidate.run:
            row["energy"] = _energy(candidate.run, chunks, row, meter, constants)
        if isinstance(candidate.run, software.EarlyExit):
            row["stages"] = candidate.run.stage_seconds(chunks)
            row["remainder_seconds"] = candidate.run.remainder_seconds(chunks[:REMAINDER_CHUNKS])
        rows.append(row)
    return rows


def _modelled(row: Row, works: list[HostWork], images: npt.NDArray, pixels: int, constants: energy.Model) -> Row:
    """A row of a host whose fabric is modelled, at a width of the stream."""
    from pynq_ee.sim import dataflow

    batch = int(images[0])
    clocks = dataflow.batch_clocks(dataclasses.replace(spec.DEFAULT, pixels_per_beat=pixels), batch, True)
    busy = clocks / (CLOCK_MHZ * 1e6)
    timed = timing.Timing(np.stack([work.seconds(busy) for work in works]), images).as_dict()
    each = [work.stages(batch) for work in works]
    stages = {name: float(np.median([one[name] for one in each])) for name in each[0]}
    joules = constants.joules(sum(stages.values()), 1 / timed["images_a_second"])
    return {
        **row,
        **timed,
        "version": f"{pixels} pixels a beat, {CLOCK_MHZ} MHz",
        "pixels_per_beat": pixels,
        "kind": "host measured, fabric modelled",
        "stages": {"fabric": busy / batch, **stages},
        "energy": {"joules_an_image": joules, "kind": "modelled"},
    }


def _energy(
    run: timing.Run,
    chunks: Chunks,
    row: Row,
    meter: Callable[[], energy.Meter] | None,
    constants: energy.Model,
) -> dict[str, Any]:
    if meter is None:
        joules = constants.joules(1 / row["images_a_second"], 0.0, row["threads"])
        return {"joules_an_image": joules, "kind": "modelled"}
    images = 0
    with meter() as reading:
        begin = time.perf_counter()
        while time.perf_counter() - begin < ENERGY_SECONDS:
            for chunk in chunks:
                run(chunk)
                images += len(chunk)
    return {"joules_an_image": reading.joules / images, "kind": f"measured, {reading.source}"}


# What follows from the rows ------------------------------------------------------------------------------------------


def best(rows: list[Row], way: str, batch: int, threads: int, **equal: Any) -> Row | None:
    """The row of the greatest throughput of one way; None where there is none."""
    wanted = {"way": way, "batch": batch, "threads": threads, **equal}
    fitting = [row for row in rows if all(row.get(key) == value for key, value in wanted.items())]
    return max(fitting, key=lambda row: float(row["images_a_second"]), default=None)


def break_even(row: Row, all_software: Row, cost_factor: float, shares: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Speed-up of the fabric over all software against the share that leaves at the first exit (*modelled*).

    Parameters
    ----------
    row, all_software
        A row of the way ``fabric`` with its stages, and one of the way ``with``.
    cost_factor
        The remainder's cost as a multiple of what it is.
    shares
        0 to 1.
    """
    stay = 1 - np.asarray(shares, np.float64)
    # What the decision takes does not depend on who stays; what is left of its stage is the remainder.
    fixed = [
        max(each["stages"][stage] - (1 - each["shares"][0]) * each["remainder_seconds"], 0.0)
        for each, stage in ((all_software, "decision and remainder"), (row, "decide and remainder"))
    ]
    remainders = [stay * cost_factor * each["remainder_seconds"] for each in (all_software, row)]
    before = all_software["stages"]["first exit"] + fixed[0] + remainders[0]
    overlapped = row["stages"]["fill"] + fixed[1] + remainders[1]
    return np.asarray(before / (np.maximum(row["stages"]["fabric"], overlapped) + row["stages"]["between batches"]))
