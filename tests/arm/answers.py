"""What the network answers for digits, as arrays in a file: for comparing a board with the machine that tests it.

A simulated board that touches the machine is an error here too (``machine_guard``, found by ``PYTHONPATH=tests``).

``python tests/arm/answers.py --images 2000 --device sim-numpy answers.npz``
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt

import machine_guard
from pynq_ee import EarlyExitInference
from pynq_ee.data import batches, datasets
from pynq_ee.driver.pipeline import Pipeline, Turns
from pynq_ee.driver.slots import Results
from pynq_ee.network import fabric
from pynq_ee.trace import Stopwatch

#: Images of a transfer.
BATCH = 250


def answers(network: EarlyExitInference, images: npt.NDArray[np.uint8]) -> dict[str, np.ndarray]:
    """Features and logits as the fabric returned them, and what the host made of them."""

    def use(number: int, chunk: npt.NDArray[np.uint8], results: Results) -> tuple[np.ndarray, np.ndarray]:
        packed = results.features(np.arange(len(chunk)), network.model.spec)
        return results.logits, fabric.unpack_features(packed, network.model)

    pipeline = Pipeline(network.accelerator, Turns(), use, Stopwatch())
    returned = list(pipeline.run(batches.split(images, BATCH)))
    prediction = network.classify(images)
    return {
        "first_logits": np.concatenate([logits for logits, _ in returned]),
        "features": np.concatenate([features for _, features in returned]),
        "labels": prediction.labels,
        "exits": prediction.exits,
        "entropy": prediction.entropy,
        "logits": prediction.logits,
    }


def main() -> None:
    """Classify and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=2000, help="so many of the test images, or of the sample")
    parser.add_argument("--device", default="sim-numpy", choices=["sim", "sim-numpy"])
    parser.add_argument("--model", default="lenet5-2exit")
    parser.add_argument("--remainder", help="engine of the software exits (default: the compiled one if there is one)")
    parser.add_argument("output", type=Path)
    args = parser.parse_args()
    digits = datasets.available()
    with (
        machine_guard.guarding(),
        EarlyExitInference(
            args.model, device=args.device, remainder=args.remainder, images_per_transfer=BATCH
        ) as network,
    ):
        np.savez(args.output, **answers(network, digits.images[: args.images]), source=digits.source)


if __name__ == "__main__":
    main()
