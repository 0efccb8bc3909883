"""``pynq-ee classify``: pictures in, digits out."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pynq_ee.commands.common import (
    Output,
    add_device_options,
    add_json_option,
    add_waveform_option,
    device_of,
    nats,
    open_network,
    print_json,
    table,
    waveform,
)
from pynq_ee.data.images import to_images
from pynq_ee.errors import EXIT_FAILURE, InputError

HELP = "classify picture files"
EXAMPLES = """\
  pynq-ee classify seven.png                       on the board
  pynq-ee classify --device sim *.png              on the simulated board
  pynq-ee classify --device software *.png         on no board: all on this machine's processor
  pynq-ee classify --fit photo.jpg                 any size, on any even or unevenly lit paper
  pynq-ee classify --invert seven.png              28 x 28, dark ink on white
  curl -s https://example.org/7.png | pynq-ee classify --fit -
  pynq-ee classify --device sim-rtl --vcd seven.vcd seven.png    and what each signal did meanwhile
  pynq-ee classify --threshold 0.2 --json *.png    fewer early exits, for a program to read"""


#: Bytes of a picture that comes over standard input.
_STANDARD_INPUT_LIMIT = 64 << 20


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="a picture of one digit; - is standard input")
    parser.add_argument(
        "--fit", action="store_true", help="find the ink on its paper, scale and centre it as MNIST was made"
    )
    parser.add_argument(
        "--invert",
        action=argparse.BooleanOptionalAction,
        help="the pictures are dark ink on a light ground, or are not (default: with --fit what is seen, else not)",
    )
    add_device_options(parser)
    add_waveform_option(parser)
    add_json_option(parser)


def outputs(args: argparse.Namespace) -> list[Output]:
    """The waveform."""
    return waveform(args)


def run(args: argparse.Namespace) -> int:
    """Classify the files and print a line for each; 1 if one of them could not be read."""
    files, images, failures = [], [], {}
    with device_of(args) as device, open_network(args, device) as network:
        for file in args.files:
            try:
                images.append(_read(file, args.fit, args.invert))
                files.append(file)
            except InputError as error:
                failures[file] = str(error)
                print(f"pynq-ee classify: {error}", file=sys.stderr)
        if not files:
            return EXIT_FAILURE
        prediction = network.classify(np.concatenate(images))
        thresholds = network.threshold
    status = EXIT_FAILURE if failures else 0
    if args.json:
        print_json(
            {
                "device": prediction.device,
                "thresholds_nats": thresholds,
                "images": [
                    {
                        "file": file,
                        "label": answer.label,
                        "exit": answer.exit,
                        "entropy_nats": answer.entropy,
                        "logits": answer.logits,
                    }
                    for file, answer in zip(files, prediction)
                ],
                "failed": [{"file": file, "error": error} for file, error in failures.items()],
            }
        )
        return status
    rows = [(file, answer.label, answer.exit, f"{answer.entropy:.4f}") for file, answer in zip(files, prediction)]
    print(table(rows, ("file", "digit", "exit", "entropy (nats)")))
    print(f"threshold: {nats(thresholds)}; an image leaves at the first exit whose entropy is below its threshold")
    if (prediction.exits > 1).any():
        print("entropy: that of the exit where the image left, which is small there; at the exits before it was not")
    print(f"device: {prediction.device}")
    return status


def _read(file: str, fit: bool, invert: bool | None) -> npt.NDArray[np.uint8]:
    """A picture as the network takes it; ``-`` is standard input."""
    if file != "-":
        return to_images(file, fit=fit, invert=invert)
    content = sys.stdin.buffer.read(_STANDARD_INPUT_LIMIT + 1)
    if len(content) > _STANDARD_INPUT_LIMIT:
        raise InputError(f"standard input has more than {_STANDARD_INPUT_LIMIT >> 20} MB; give a smaller picture")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "standard input"
        path.write_bytes(content)
        try:
            return to_images(path, fit=fit, invert=invert)
        except InputError as error:
            raise InputError(str(error).replace(str(path), path.name)) from error
