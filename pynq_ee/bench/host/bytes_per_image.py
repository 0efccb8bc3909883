"""Bytes that an image takes over the DMA in each direction, *counted* for a model and its thresholds.

Every image goes to the fabric whole. Its record comes back, and behind it its features, if its two largest logits
differ by less than the ``feature_margin`` of the threshold (:mod:`pynq_ee.exits.margin`). In version 1 of the interface
the features of every image came. The logits are those of :mod:`pynq_ee.network.fabric`, which the circuit's equal to
the bit; a test compares the bytes with those that the DMA of the simulated board moves.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from pynq_ee import exits
from pynq_ee.bench import pages
from pynq_ee.bench.arguments import nats
from pynq_ee.data import datasets
from pynq_ee.errors import status
from pynq_ee.exits.margin import feature_margin
from pynq_ee.network import fabric, spec, weights
from pynq_ee.network.weights import Model

COMMAND = "python -m pynq_ee.bench.host.bytes_per_image"

#: Thresholds of the first exit beside a model's own, in nats: 0, with which all images stay, and a low one.
THRESHOLDS = (0.0, 0.3)

_EXAMPLES = f"""\
examples:
  {COMMAND}                         the table, on t10k where MNIST is
  {COMMAND} --write docs/board.md   and into the documentation"""


@dataclass(frozen=True)
class Row:
    """One model at one threshold.

    Attributes
    ----------
    threshold
        Of the first exit, in nats.
    margin
        Register ``feature_margin``.
    staying, followed
        Shares of the images that stay in the network, and whose features come.
    sent, returned, always
        Bytes an image to the fabric, back from it on average, and back from it with the features of every image.
    """

    model: str
    threshold: float
    margin: int
    staying: float
    followed: float
    sent: int
    returned: float
    always: int


def count(model: Model, images: npt.NDArray[np.uint8], thresholds: Iterable[float]) -> list[Row]:
    """A row for each threshold of the first exit, in nats, on images uint8 (n, 28, 28)."""
    scale = 2.0 ** model.logit_exponents[0]
    logits = fabric.first_exit(images, model)[1]
    entropy = exits.entropy(logits * scale)
    rows = []
    for threshold in thresholds:
        margin = feature_margin(threshold, scale)
        followed = float(fabric.features_follow(logits, margin).mean())
        rows.append(
            Row(
                model=model.network,
                threshold=threshold,
                margin=margin,
                staying=float(np.mean(~exits.leaves(entropy, threshold))),
                followed=followed,
                sent=spec.IMAGE_PIXELS,
                returned=spec.RESULT_BYTES + followed * model.spec.feature_block_bytes,
                always=model.spec.output_bytes(True),
            )
        )
    return rows


def table(rows: Iterable[Row]) -> str:
    """The rows as a Markdown table."""
    lines = [
        "| model | threshold, nats | `feature_margin` | images that stay | with features | bytes to the fabric "
        "| bytes back, mean | with the features of all |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| `{row.model}` | {row.threshold:.3f} | {row.margin} | {row.staying:.2%} | {row.followed:.2%} | {row.sent} "
        f"| {row.returned:.0f} | {row.always} |"
        for row in rows
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Count and print; return 0."""
    parser = pages.parser(COMMAND, __doc__, _EXAMPLES)
    parser.add_argument("--model", nargs="+", default=weights.shipped_models(), help="shipped names, or model files")
    parser.add_argument(
        "--threshold",
        type=nats,
        nargs="+",
        default=list(THRESHOLDS),
        help="thresholds of the first exit beside the model's own, in nats",
    )
    options = pages.parsed(parser, arguments)
    digits = datasets.available()
    rows = []
    for model in map(weights.load, options.model):
        rows += count(model, digits.images, (model.thresholds[0], *options.threshold))
    text = f"*Counted* on {len(digits.images):,} images, {digits.source}.\n\n{table(rows)}"
    pages.publish(options, COMMAND, text, {"data": digits.source, "rows": [asdict(row) for row in rows]})
    return 0


if __name__ == "__main__":
    sys.exit(status(COMMAND, main))
