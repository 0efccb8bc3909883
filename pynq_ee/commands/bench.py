"""``pynq-ee bench``: the paper's tables, energy, robustness, the risk bound and the governor, as one JSON file."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

from pynq_ee.commands.common import Output, plain, print_json, table
from pynq_ee.errors import InputError
from pynq_ee.files import write_atomically
from pynq_ee.network import weights

HELP = "measure software against fabric, energy, robustness and the risk bound"
EXAMPLES = """\
  pynq-ee bench --quick                           less than a minute, the fabric modelled
  pynq-ee bench --output results.json             everything, for pynq-ee report; some minutes
  pynq-ee bench --device board --output z2.json   on this board, nothing modelled but energy without a sensor
  pynq-ee bench --driver                          only what the driver costs the host, an image
  pynq-ee bench --models lenet5-2exit --batches 1,256 --threads 1 --repetitions 9"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--quick", action="store_true", help="fewer images, repetitions and engines, one thread")
    parser.add_argument(
        "--driver", action="store_true", help="only the driver's own time, beside entropy and remainder (batch 1000)"
    )
    parser.add_argument("--models", nargs="+", help="shipped models or model files (default: all shipped ones)")
    parser.add_argument(
        "--device",
        choices=["model", "board"],
        default="model",
        help="model (default): the host is measured, the fabric modelled; board: measured on this board",
    )
    parser.add_argument("--batches", type=_numbers, help="images a batch, as 1,256,1024")
    parser.add_argument("--threads", type=_numbers, help="threads of the software, as 1,2")
    parser.add_argument("--repetitions", type=int, help="of which the median counts")
    parser.add_argument("--images", type=int, help="images of a large batch's measurement")
    parser.add_argument("--output", type=Path, help="the JSON file to write")
    parser.add_argument("--json", action="store_true", help="print the JSON instead of tables")


def outputs(args: argparse.Namespace) -> list[Output]:
    """The JSON file."""
    return [Output("--output", args.output)] if args.output else []


def run(args: argparse.Namespace) -> int:
    """Measure, print, write."""
    from pynq_ee.bench.paper import compare, suite, tables

    if args.driver:
        return _driver(args)
    given = {
        "batches": args.batches,
        "threads": args.threads,
        "repetitions": args.repetitions,
        "images": args.images,
    }
    settings = dataclasses.replace(
        compare.QUICK if args.quick else compare.Settings(),
        **{name: value for name, value in given.items() if value is not None},
    )
    if settings.repetitions < 1 or settings.images < 1:
        raise InputError("--repetitions and --images must be 1 or more")
    too_large = [batch for batch in settings.batches if batch > settings.images]
    if too_large:
        raise InputError(f"a batch of {too_large[0]} of only {settings.images} images; raise --images")
    names = args.models or weights.shipped_models()
    if not names:
        raise InputError("no shipped model; name a model file with --models")
    models = [weights.load(name) for name in names]
    record = plain(
        suite.run(
            models, settings, suite.QUICK if args.quick else suite.Extent(), device=_board(args), progress=_progress
        )
    )
    if args.output:
        write_atomically(args.output, (json.dumps(record, indent=1) + "\n").encode())
    if args.json:
        print_json(record)
        return 0
    for network, measured in record["networks"].items():
        print(f"\n{network}")
        print(table(tables.comparison_rows(measured["tables"]), tables.COMPARISON_HEADER))
        for engine, reason in measured["tables"]["left_out"].items():
            print(f"left out: {engine} ({reason})")
    if args.output:
        print(f"\nwritten: {args.output}; next: pynq-ee report {args.output}")
    return 0


def _board(args: argparse.Namespace) -> Any:
    if args.device == "model":
        return None
    from pynq_ee.driver import bitfiles

    return bitfiles.this_board("say --device model: the host is measured then, and the fabric modelled")


def _progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _numbers(text: str) -> tuple[int, ...]:
    """Read an option such as ``1,256``."""
    try:
        numbers = tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number, nor several with commas") from error
    if min(numbers) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: each must be 1 or more")
    return numbers


def _driver(args: argparse.Namespace) -> int:
    from pynq_ee.bench import timing
    from pynq_ee.bench.host import driver
    from pynq_ee.data import datasets

    batch = args.batches[0] if args.batches else 1000
    images = datasets.available().images
    images = images[: len(images) // batch * batch]
    if not len(images):
        raise InputError(f"--batches is {batch}; there are {len(datasets.available().images)} images")
    model = weights.load(args.models[0] if args.models else weights.DEFAULT)
    with timing.threads_limited(1):
        found = driver.overhead(model, images, batch, args.repetitions or 21)
    if args.json:
        print_json({"batch": batch, "images": len(images), "microseconds_an_image": found})
        return 0
    print(f"microseconds an image, {len(images)} images in batches of {batch}, one thread (measured)")
    rows = [(stage, f"{median:.3f}", f"{least:.3f}") for stage, (median, least) in found.items()]
    print(table(rows, ("stage", "median", "least")))
    return 0
