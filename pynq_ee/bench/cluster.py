"""Throughput of several boards against their number, and how batches are shared out among unequal ones.

``python -m pynq_ee.bench.cluster`` starts workers on this machine, each with a simulated board that takes the time of a
given rate: so boards are the limit, and not the cores that all of them share. What is measured is how well the cluster
keeps boards busy, processes and connections included; the boards' rate is chosen, and the network is this machine's.
"""

from __future__ import annotations

import functools
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pynq_ee.bench import machine, plots, programs
from pynq_ee.bench.arguments import positive, whole
from pynq_ee.cluster import Cluster
from pynq_ee.data import datasets
from pynq_ee.errors import status
from pynq_ee.network import spec, weights
from pynq_ee.network.weights import Model

COMMAND = "python -m pynq_ee.bench.cluster"

#: Rates, relative to each other, of the boards that are not alike.
UNEVEN = (1, 2, 4)

_EXAMPLES = """\
examples:
  python -m pynq_ee.bench.cluster                                    1 to 4 boards of 100 images a second
  python -m pynq_ee.bench.cluster --boards 2 --seconds 2              quicker
  python -m pynq_ee.bench.cluster --plot docs/results/cluster.png --json"""


@dataclass(frozen=True)
class Row:
    """One cluster's figures.

    Attributes
    ----------
    rates
        Images a second of each board, *chosen*.
    images, seconds
        What was classified, and the wall time from the first image to the last prediction, *measured*.
    shares
        Part of the images that each board had, *measured*.
    """

    rates: list[float]
    images: int
    seconds: float
    shares: list[float]

    @property
    def images_per_second(self) -> float:
        """Of all boards together, *measured*."""
        return self.images / self.seconds

    @property
    def efficiency(self) -> float:
        """Throughput as a part of what the boards can do."""
        return self.images_per_second / sum(self.rates)


def paced_board(rates: Sequence[float], model: Model) -> Any:
    """A simulated board with the rate, in images a second, that is its worker's by number."""
    from distributed import get_worker

    from pynq_ee.sim import SimulatedDevice

    clocks = spec.batch_clocks(model.spec, 1024) / 1024
    modelled = spec.DEFAULT_BOARD.clock_mhz * 1e6 / clocks
    return SimulatedDevice(model, kernel="numpy", pace=modelled / rates[int(get_worker().name)])


def measure(model: Model, images: npt.NDArray[np.uint8], rates: Sequence[float], seconds: float, batch: int) -> Row:
    """Classify for about ``seconds`` with one board for each rate."""
    count = max(int(sum(rates) * seconds / batch), 1) * batch
    work = np.resize(images, (max(count, batch), *images.shape[1:]))
    with Cluster(len(rates), model=model, device=functools.partial(paced_board, tuple(rates))) as cluster:
        cluster.classify(work[: 2 * len(rates) * batch], batch=batch)  # every board has had its first batch
        before = {board.address: board.images for board in cluster.boards}
        begin = time.perf_counter()
        done = sum(len(prediction) for _, prediction in cluster.as_completed([work], batch=batch))
        spent = time.perf_counter() - begin
        shares = sorted((board.images - before[board.address]) / done for board in cluster.boards)
    return Row(list(rates), done, spent, shares)


def table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table."""
    lines = [
        "| boards | rates, images a second | together | of the sum of rates | shares |",
        "| ---: | --- | ---: | ---: | --- |",
        "| | *chosen* | *measured* | *measured* | *measured* |",
    ]
    lines += [
        f"| {len(row.rates)} | {', '.join(f'{rate:g}' for rate in row.rates)} | {row.images_per_second:.0f} "
        f"| {100 * row.efficiency:.1f} % | {', '.join(f'{100 * share:.1f} %' for share in row.shares)} |"
        for row in rows
    ]
    return "\n".join(lines)


def plot(rows: Sequence[Row], path: Path) -> None:
    """Throughput against the number of equal boards, and the shares of unequal ones."""
    equal, uneven = [row for row in rows if len(set(row.rates)) == 1], [row for row in rows if len(set(row.rates)) > 1]
    with plots.figure(path, columns=2, size=(9, 4)) as (throughput, shares):
        counts = [len(row.rates) for row in equal]
        throughput.plot(counts, [sum(row.rates) for row in equal], "--", color="grey", label="sum of the boards' rates")
        throughput.plot(
            counts, [row.images_per_second for row in equal], "o-", color=plots.COLOURS[0], label="measured"
        )
        throughput.set(xlabel="boards", ylabel="images a second", xticks=counts, ylim=(0, None))
        throughput.set_title("equal boards", fontsize=10)
        throughput.legend(fontsize=8)
        for row in uneven:
            places = np.arange(len(row.rates))
            ideal = np.sort(np.array(row.rates) / sum(row.rates))
            shares.bar(places - 0.2, 100 * ideal, 0.4, color="lightgrey", label="part of the sum of rates")
            shares.bar(places + 0.2, 100 * np.array(row.shares), 0.4, color=plots.COLOURS[0], label="measured")
            shares.set(ylabel="share of the images, %", xticks=places, xlabel="board, images a second")
            shares.set_xticklabels([f"{rate:g}" for rate in sorted(row.rates)])
        shares.set_title("unequal boards", fontsize=10)
        shares.legend(fontsize=8)
        throughput.figure.suptitle(
            f"simulated boards of chosen rates, one worker process each, on {machine.processor()}", fontsize=9
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; return 0."""
    parser = programs.parser(COMMAND, __doc__, _EXAMPLES)
    parser.add_argument("--boards", type=whole(), default=4, help="largest number of boards (default 4)")
    parser.add_argument("--rate", type=positive, default=100.0, help="images a second of a board (default 100)")
    parser.add_argument("--seconds", type=positive, default=6.0, help="time of each measurement, about (default 6)")
    parser.add_argument("--batch", type=whole(), default=20, help="images that are sent at once (default 20)")
    parser.add_argument("--model", default=weights.DEFAULT, help="a shipped model's name, or a model file")
    parser.add_argument("--plot", type=Path, help="draw a picture")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args(arguments)
    if options.plot:
        plots.check(options.plot)
    from tqdm import tqdm

    model, images = weights.load(options.model), datasets.available().images
    clusters = [[options.rate] * count for count in range(1, options.boards + 1)]
    clusters.append([options.rate * factor / max(UNEVEN) for factor in UNEVEN])
    rows = [
        measure(model, images, rates, options.seconds, options.batch)
        for rates in tqdm(clusters, unit="cluster", disable=None)
    ]
    if options.plot:
        plot(rows, options.plot)
    if options.json:
        figures = [
            {**asdict(row), "images_per_second": row.images_per_second, "efficiency": row.efficiency} for row in rows
        ]
        print(json.dumps({"batch": options.batch, "rows": figures, "machine": machine.describe()}, indent=2))
    else:
        print(table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(status(COMMAND, main))
