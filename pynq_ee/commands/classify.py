"""``pynq-ee classify``: pictures in, digits out."""

from __future__ import annotations

import argparse

from pynq_ee.commands.common import add_device_options, add_json_option, open_network, print_json, table

HELP = "classify picture files"
EXAMPLES = """\
  pynq-ee classify seven.png                       on the board
  pynq-ee classify --device sim *.png              on the simulated board
  pynq-ee classify --fit photo.jpg                 any size, on any even or unevenly lit paper
  pynq-ee classify --invert seven.png              28 x 28, dark ink on white
  pynq-ee classify --threshold 0.2 --json *.png    fewer early exits, for a program to read"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="a picture of one digit")
    parser.add_argument(
        "--fit", action="store_true", help="find the ink on its paper, scale and centre it as MNIST was made"
    )
    parser.add_argument(
        "--invert",
        action=argparse.BooleanOptionalAction,
        help="the pictures are dark ink on a light ground, or are not (default: with --fit what is seen, else not)",
    )
    add_device_options(parser)
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    """Classify the files and print a line for each."""
    with open_network(args) as network:
        prediction = network.classify(args.files, fit=args.fit, invert=args.invert)
        thresholds = network.threshold
    if args.json:
        print_json(
            {
                "device": prediction.device,
                "thresholds_nats": thresholds,
                "images": [
                    {"file": file, "label": label, "exit": exit, "entropy_nats": entropy, "logits": logits}
                    for file, label, exit, entropy, logits in zip(
                        args.files, prediction.labels, prediction.exits, prediction.entropy, prediction.logits
                    )
                ],
            }
        )
        return 0
    rows = zip(args.files, prediction.labels, prediction.exits, (f"{value:.4f}" for value in prediction.entropy))
    print(table(rows, ("file", "digit", "exit", "entropy (nats)")))
    print(f"device: {prediction.device}")
    return 0
