"""What classifying costs one core of the host, with its bars: calls of one image, and large batches.

A call of one image goes through the driver, whose work is *measured* on a board that has answered before it is asked,
and a fabric whose time is *modelled*; it must not take longer than onnxruntime takes with all of the network in
software. The work on a large batch is the host's alone: the fabric works meanwhile.
"""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pynq_ee.bench import engines, machine, pages, timing
from pynq_ee.bench.arguments import whole
from pynq_ee.bench.host import driver
from pynq_ee.bench.paper import software
from pynq_ee.data import datasets
from pynq_ee.errors import InputError, status
from pynq_ee.inference import EarlyExitInference
from pynq_ee.network import spec, weights
from pynq_ee.network.weights import Model

COMMAND = "python -m pynq_ee.bench.paper.bars"

#: The engine that a batch of one is compared with, all in software.
RIVAL = "onnxruntime"
#: A batch of one takes that engine at least this many times as long as it takes the driver and the fabric.
LEAST_RATIO = 1.0
#: What an image of a large batch costs the host at most, in microseconds.
MOST_MICROSECONDS = 0.35

#: Images of the large batch, and the share of them that stays.
LARGE, UNDECIDED = 1024, 0.014
#: Calls of one image, and large batches, in one repetition.
SINGLES, BATCHES = 300, 8

_EXAMPLES = f"""\
examples:
  {COMMAND}                          the two rows, and whether they are within their bars
  {COMMAND} --write docs/driver.md   and into the documentation"""


@dataclass(frozen=True)
class Row:
    """What classifying costs, with its bar.

    Attributes
    ----------
    batch, undecided
        Images of a batch, and how many of one go on to the remainder, on average.
    microseconds
        An image: the median over the repetitions, and the least. Of batches of one the fabric's time, *modelled*, is in
        it; of large ones it is the host's work alone.
    ratio
        Of batches of one: the median over the repetitions of the time of :data:`RIVAL` by that of the driver.
    met
        Whether the row is within its bar.
    """

    batch: int
    undecided: float
    microseconds: tuple[float, float]
    ratio: float | None
    met: bool


def singles(model: Model, images: npt.NDArray[np.uint8], repetitions: int) -> Row:
    """Calls of one image through the driver, with a fabric of 8 pixels a beat, and all in software, in turns."""
    from pynq_ee.sim import dataflow
    from pynq_ee.sim.replay import ReplayDevice

    chunks = timing.chunks_of(images[:SINGLES], 1)
    clocks = dataflow.batch_clocks(dataclasses.replace(spec.DEFAULT, pixels_per_beat=8), 1, True)
    busy = clocks / (spec.DEFAULT_BOARD.clock_mhz * 1e6)
    rival = software.EarlyExit(engines.build(RIVAL, model, 1, 1), model.thresholds, software.deciders(model))
    with (
        timing.threads_limited(1),
        ReplayDevice(model, np.concatenate(chunks)) as device,
        EarlyExitInference(model, device=device, images_per_transfer=1, threads=1) as network,
    ):
        undecided = float(np.mean([network.classify(chunk).exits[0] > 1 for chunk in chunks]))
        taken = timing.in_turns(
            {
                "driver": lambda: float(np.median(driver.host_work(network, device, chunks, False).seconds(busy))),
                "rival": lambda: float(np.median(timing.wall(rival, chunks))),
            },
            repetitions,
        )
    own, other = np.array(taken["driver"]), np.array(taken["rival"])
    ratio = float(np.median(other / own))
    return Row(1, undecided, (1e6 * float(np.median(own)), 1e6 * float(own.min())), ratio, ratio >= LEAST_RATIO)


def large(model: Model, images: npt.NDArray[np.uint8], repetitions: int) -> Row:
    """The host's work for a stream of large batches, of which a known share stays.

    Raises
    ------
    InputError
        Too few images stay, or leave, for one batch.
    """
    from pynq_ee.sim.replay import ReplayDevice

    with EarlyExitInference(model, device="software") as network:
        stays = network.classify(images).exits > 1
    few = round(UNDECIDED * LARGE)
    chosen = np.concatenate([np.flatnonzero(stays)[:few], np.flatnonzero(~stays)[: LARGE - few]])
    if len(chosen) < LARGE:
        raise InputError(f"{len(chosen)} of {len(images)} images serve; {LARGE} are needed, {few} of which stay")
    batch = images[np.sort(chosen)]
    samples = []
    with (
        timing.threads_limited(1),
        ReplayDevice(model, batch) as device,
        EarlyExitInference(model, device=device, images_per_transfer=LARGE, threads=1) as network,
    ):
        for _ in range(repetitions + 1):  # the first is a warm-up
            placed, begin = device.replay_seconds, time.perf_counter()
            for _ in network.stream([batch] * BATCHES, batch=LARGE):
                pass
            samples.append(time.perf_counter() - begin - (device.replay_seconds - placed))
    an_image = 1e6 * np.array(samples[1:]) / (BATCHES * LARGE)
    middle = float(np.median(an_image))
    return Row(LARGE, few, (middle, float(an_image.min())), None, middle <= MOST_MICROSECONDS)


def table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table."""
    lines = [
        f"| images a batch | of which stay | us an image, median | least | times as fast as {RIVAL} | bar |",
        "| ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    for row in rows:
        middle, least = row.microseconds
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        bar = f"at most {MOST_MICROSECONDS} us" if row.ratio is None else f"at least {LEAST_RATIO:g} times as fast"
        lines.append(f"| {row.batch} | {row.undecided:.3g} | {middle:.3f} | {least:.3f} | {ratio} | {bar} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; return 1 if a bar is missed."""
    parser = pages.parser(COMMAND, __doc__, _EXAMPLES)
    parser.add_argument("--model", default=weights.DEFAULT, help="a shipped model's name, or a model file")
    parser.add_argument("--repetitions", type=whole(), default=15, help="of which the median counts")
    options = pages.parsed(parser, arguments)
    model, images = weights.load(options.model), datasets.available().images
    rows = [measure(model, images, options.repetitions) for measure in (singles, large)]
    about = machine.describe()
    text = f"*Measured* on {about['processor']}, Python {about['python']}, one thread.\n\n{table(rows)}"
    pages.publish(options, COMMAND, text, {"rows": [dataclasses.asdict(row) for row in rows], "machine": about})
    missed = [f"batch {row.batch}" for row in rows if not row.met]
    if missed:
        print(f"MISSED: {', '.join(missed)}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(status(COMMAND, main))
