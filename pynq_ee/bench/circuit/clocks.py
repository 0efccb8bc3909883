"""The clocks of the overlay in RTL, counted: a batch behind a memory that takes its time, and one image alone.

    python -m pynq_ee.bench.circuit.clocks                    the table; 1 if a bar is not held
    python -m pynq_ee.bench.circuit.clocks docs/overlay.md    and into the page, between its marks
    python -m pynq_ee.bench.circuit.clocks --json

The unmodified driver sends digits through pynq to ``device="sim-rtl"``. A batch counts from LENGTH of its images,
written last, until the receiving channel is idle: all results are in memory and acknowledged. So the latency of memory,
the DMA's start and end, and the kernel's filling and draining are in it; what the host does before and after is not.
Counts are the same on every machine.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pynq_ee.bench import pages, programs
from pynq_ee.bench.arguments import whole
from pynq_ee.data import datasets
from pynq_ee.data.datasets import Digits
from pynq_ee.errors import DataError, status
from pynq_ee.inference import EarlyExitInference
from pynq_ee.network import fabric, weights
from pynq_ee.network.weights import Model

#: Images of the batch, and the latency of memory in clocks.
BATCH, LATENCY = 1024, 60

#: Clocks an image of the batch that the overlay may take, by pixels a beat.
BARS = {8: 98.5, 4: 196.5}

#: Of wall-clock time, which a busy machine takes much of for few clocks.
_DEADLINE_SECONDS = 600.0

COMMAND = "python -m pynq_ee.bench.circuit.clocks"

Row = dict[str, Any]


def count(model: Model, digits: Digits, latency: int = LATENCY, batch: int = BATCH) -> Row:
    """Count the clocks of a model's overlay.

    Parameters
    ----------
    model
        The network whose first exit is in the overlay; features follow by its own thresholds.
    digits
        Images, at least ``batch``.
    latency
        Of memory, in clocks.
    batch
        Images.

    Returns
    -------
    The row, in JSON's types. ``right``: logits are those of :mod:`pynq_ee.network.fabric`, to the bit.

    Raises
    ------
    ToolError
        Verilator is missing, or fails.
    """
    from pynq_ee.sim import SimulatedDevice
    from pynq_ee.sim.overlay_library import Conditions
    from pynq_ee.sim.overlay_logic import OverlayFabric

    images = digits.images[:batch]
    if len(images) < batch:
        raise DataError(f"{digits.source} has {len(images)} images, the batch {batch}; take MNIST: pynq-ee download")
    conditions = Conditions(latency=latency)
    with (
        SimulatedDevice(model, kernel=partial(OverlayFabric, conditions=conditions)) as device,
        EarlyExitInference(
            model, device=device, images_per_transfer=batch, deadline_seconds=_DEADLINE_SECONDS
        ) as network,
    ):
        one = _counted(network, images[:1])
        whole = _counted(network, images)
        network.threshold = 0.0
        every = _counted(network, images)
        first = network.all_exits(images)[:, 0]
    logits = fabric.first_exit(images, model)[1] * 2.0 ** model.logit_exponents[0]
    return {
        "pixels_per_beat": model.spec.pixels_per_beat,
        "latency": latency,
        "images": batch,
        "clocks_one": one,
        "clocks_batch": whole,
        "clocks_image": whole / batch,
        "clocks_image_all_features": every / batch,
        "bar": BARS[model.spec.pixels_per_beat],
        "right": bool((first == logits).all()),
    }


def _counted(network: EarlyExitInference, images: npt.NDArray[np.uint8]) -> int:
    prediction = network.classify(images)
    assert prediction.fabric_clocks is not None and prediction.fabric_clocks_are == "counted"
    return prediction.fabric_clocks


def table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table."""
    columns: list[tuple[str, str, Callable[[Row], str]]] = [
        ("pixels a beat", "*chosen*", lambda row: f"{row['pixels_per_beat']}"),
        ("latency of memory", "*chosen*", lambda row: f"{row['latency']} clocks"),
        ("one image alone", "*counted*", lambda row: f"{row['clocks_one']} clocks"),
        (f"batch of {rows[0]['images']:,}", "*counted*", lambda row: f"{row['clocks_batch']:,} clocks"),
        ("clocks an image", "*counted*", lambda row: f"{row['clocks_image']:.2f}"),
        ("at most", "*bar*", lambda row: f"{row['bar']:g}"),
        ("with every image's features", "*counted*", lambda row: f"{row['clocks_image_all_features']:.2f}"),
    ]
    lines = [
        [name for name, _, _ in columns],
        ["---:"] * len(columns),
        [source for _, source, _ in columns],
        *([cell(row) for _, _, cell in columns] for row in rows),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Count, print, write; 1 where a bar is not held or a bit is wrong."""
    parser = programs.parser(COMMAND, __doc__)
    parser.add_argument("page", type=Path, nargs="?", help="a Markdown page with a place for the table")
    parser.add_argument("--model", default=weights.DEFAULT, help="a shipped model's name, or a model file")
    parser.add_argument("--latency", type=whole(0), default=LATENCY, help=f"of memory, in clocks (default {LATENCY})")
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    options = parser.parse_args(arguments)
    if options.page is not None:
        pages.check(options.page, COMMAND)
    model, digits = weights.load(options.model), datasets.available()
    rows = [count(_with_pixels(model, pixels), digits, options.latency) for pixels in sorted(BARS, reverse=True)]
    print(json.dumps(rows, indent=2) if options.json else table(rows))
    if options.page is not None:
        pages.put(options.page, COMMAND, table(rows))
    failures = [row for row in rows if row["clocks_image"] > row["bar"] or not row["right"]]
    for row in failures:
        what = "has wrong bits" if not row["right"] else f"takes more than {row['bar']:g} clocks an image"
        print(f"the overlay of {row['pixels_per_beat']} pixels a beat {what}", file=sys.stderr)
    return 1 if failures else 0


def _with_pixels(model: Model, pixels: int) -> Model:
    return dataclasses.replace(model, spec=dataclasses.replace(model.spec, pixels_per_beat=pixels))


if __name__ == "__main__":
    sys.exit(status(COMMAND, main))
