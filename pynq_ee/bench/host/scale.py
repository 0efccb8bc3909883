"""Time and memory against the number of images, from 1 to 1,000,000, streamed from a generator.

``python -m pynq_ee.bench.host.scale`` classifies the images of the data set again and again by
:meth:`~pynq_ee.inference.EarlyExitInference.stream`, and checks every label. By default the fabric has answered before
it is asked (:mod:`pynq_ee.sim.replay`), so that the time is the host's own; ``--device sim`` computes all images.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pynq_ee.bench import machine, plots, programs
from pynq_ee.bench.arguments import whole
from pynq_ee.data import datasets
from pynq_ee.errors import status
from pynq_ee.inference import SIMULATED, EarlyExitInference
from pynq_ee.network import weights
from pynq_ee.network.weights import Model

COMMAND = "python -m pynq_ee.bench.host.scale"

COUNTS = (1, 10, 100, 1_000, 10_000, 100_000, 1_000_000)

#: Images of a transfer, and of an item of the generator; the images that repeat are a multiple of it.
BATCH = 1000

#: Streams of up to so many images are measured so often: other work of the machine takes as long as they do.
SHORT, REPETITIONS = 10_000, 5

Images = npt.NDArray[np.uint8]

#: What a picture calls them.
_DEVICES = {"replay": "simulated board whose results are known beforehand"}

_EXAMPLES = """\
examples:
  python -m pynq_ee.bench.host.scale                                   up to a million images
  python -m pynq_ee.bench.host.scale --counts 1 1000 --device sim      on the simulated board, computing all
  python -m pynq_ee.bench.host.scale --plot docs/results/scale.png --json"""


@dataclass(frozen=True)
class Row:
    """Streams of one length, *measured*.

    Attributes
    ----------
    images
        How many in a stream.
    seconds
        From the first image asked for to the last prediction; the median, where there are several streams.
    resident_bytes
        Largest resident memory of the process, looked at after each batch; libraries and buffers included.
    repetitions
        How many streams.
    """

    images: int
    seconds: float
    resident_bytes: int
    repetitions: int = 1


def measure(network: EarlyExitInference, images: Images, count: int, progress: Callable[[int], Any]) -> Row:
    """Stream ``count`` images, those given again and again.

    Raises
    ------
    AssertionError
        A label differs from that of the same image in the first round.
    """
    labels = np.full(len(images), -1)
    position, resident = 0, resident_bytes()
    begin = time.perf_counter()
    for prediction in network.stream(_endless(images, count), batch=BATCH):
        rows = slice(position % len(images), position % len(images) + len(prediction))
        if position < len(images):
            labels[rows] = prediction.labels
        elif not np.array_equal(labels[rows], prediction.labels):
            raise AssertionError(f"labels of the images from {position} on differ from those of the first round")
        position += len(prediction)
        resident = max(resident, resident_bytes())
        progress(len(prediction))
    if position != count:
        raise AssertionError(f"{position} predictions for {count} images")
    return Row(count, time.perf_counter() - begin, resident)


def run(
    model: Model, images: Images, counts: Sequence[int], device: str, progress: Callable[[int], Any] = lambda done: None
) -> list[Row]:
    """Streams of several lengths, the shortest first, in this process, each on a board of its own.

    One that is not in the result comes before them: what the first stream alone allocates is no matter of length.
    """
    images = images[: len(images) // BATCH * BATCH]
    _stream(model, images, 1, device, lambda done: None)
    return [
        _median([_stream(model, images, count, device, progress) for _ in range(repetitions(count))])
        for count in sorted(counts)
    ]


def _stream(model: Model, images: Images, count: int, device: str, progress: Callable[[int], Any]) -> Row:
    """One stream, on a board that was made for it: prepared results begin with the first image's."""
    from pynq_ee.sim.replay import ReplayDevice

    board: Any = ReplayDevice(model, images) if device == "replay" else device
    with EarlyExitInference(model, device=board, images_per_transfer=BATCH) as network:
        row = measure(network, images, count, progress)
    if device == "replay":
        board.close()
    del network, board
    gc.collect()  # a simulated board is a circle of references
    return row


def repetitions(count: int) -> int:
    """How often a stream of so many images is measured."""
    return REPETITIONS if count <= SHORT else 1


def _median(rows: Sequence[Row]) -> Row:
    seconds = float(np.median([row.seconds for row in rows]))
    return Row(rows[0].images, seconds, max(row.resident_bytes for row in rows), len(rows))


def resident_bytes() -> int:
    """Resident memory of this process, as Linux tells it."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _endless(images: Images, count: int) -> Iterator[Images]:
    """Parts of the images, over and over, ``count`` images in all."""
    for start in range(0, count, BATCH):
        row = start % len(images)
        yield images[row : row + min(BATCH, count - start)]


def table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table."""
    lines = ["| images | seconds | us an image | resident memory, MB |", "| ---: | ---: | ---: | ---: |"]
    lines += [
        f"| {row.images:,} | {row.seconds:.4g} | {row.seconds / row.images * 1e6:.2f} "
        f"| {row.resident_bytes / 1e6:.1f} |"
        for row in rows
    ]
    return "\n".join(lines)


def plot(rows: Sequence[Row], path: Path, device: str) -> None:
    """Time and memory against the number of images."""
    counts = [row.images for row in rows]
    megabytes = [row.resident_bytes / 1e6 for row in rows]
    with plots.figure(path, columns=2, size=(9, 4)) as (seconds, memory):
        seconds.loglog(counts, [row.seconds for row in rows], "o-", color=plots.COLOURS[0])
        seconds.set(xlabel="images", ylabel="seconds (measured)")
        memory.semilogx(counts, megabytes, "o-", color=plots.COLOURS[1])
        memory.set(xlabel="images", ylabel="resident memory, MB (measured)", ylim=(0, 1.15 * max(megabytes)))
        seconds.figure.suptitle(
            f"streamed in batches of {BATCH}, {device}, on {machine.processor()}\n"
            f"seconds up to {SHORT:,} images: the median of {REPETITIONS} streams",
            fontsize=9,
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; return 0."""
    parser = programs.parser(COMMAND, __doc__, _EXAMPLES)
    parser.add_argument("--counts", type=whole(), nargs="+", default=list(COUNTS), help="numbers of images")
    parser.add_argument(
        "--device",
        choices=["replay", *SIMULATED],
        default="replay",
        help="replay (default): the fabric's results are prepared beforehand; or a simulated board",
    )
    parser.add_argument("--model", default=weights.DEFAULT, help="a shipped model's name, or a model file")
    parser.add_argument("--plot", type=Path, help="draw a picture")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args(arguments)
    if options.plot:
        plots.check(options.plot)
    from tqdm import tqdm

    model, images = weights.load(options.model), datasets.available().images
    total = sum(count * repetitions(count) for count in options.counts)
    with tqdm(total=total, unit="image", unit_scale=True, disable=None) as bar:
        rows = run(model, images, options.counts, options.device, bar.update)
    if options.plot:
        plot(rows, options.plot, _DEVICES.get(options.device, f"device {options.device}"))
    if options.json:
        print(
            json.dumps({"device": options.device, "rows": [asdict(row) for row in rows], "machine": machine.describe()})
        )
    else:
        print(table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(status(COMMAND, main))
