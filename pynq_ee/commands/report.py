"""``pynq-ee report``: the results as Markdown and pictures, from one JSON file."""

from __future__ import annotations

import argparse
from pathlib import Path

from pynq_ee.commands.common import Output, OutputFolder

HELP = "write docs/results.md and its pictures from the JSON of pynq-ee bench"
EXAMPLES = """\
  pynq-ee report results.json                             docs/results.md, docs/results/*.png
  pynq-ee report results.json --output results.md --no-pictures
  pynq-ee report results.json --bringup z2.json           with what pynq-ee bringup measured on a board

first: pynq-ee bench --output results.json"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("results", type=Path, help="the JSON file of pynq-ee bench --output")
    parser.add_argument("--output", type=Path, default=Path("docs/results.md"), help="default docs/results.md")
    parser.add_argument(
        "--bringup",
        type=Path,
        nargs="+",
        default=[],
        metavar="RECORD",
        help="records of pynq-ee bringup, to stand beside",
    )
    parser.add_argument("--no-pictures", action="store_true", help="write no pictures (needs no matplotlib)")


def outputs(args: argparse.Namespace) -> list[Output | OutputFolder]:
    """The page, and the folder of its pictures beside it."""
    if args.no_pictures:
        return [Output("--output", args.output)]
    return [Output("--output", args.output, (".md",)), OutputFolder("--output", args.output.with_suffix(""))]


def run(args: argparse.Namespace) -> int:
    """Write the report."""
    from pynq_ee.bench.paper import report
    from pynq_ee.commands import bringup

    boards = [bringup.read(path) for path in args.bringup]
    for path in report.write(report.read(args.results), args.output, not args.no_pictures, boards):
        print(path)
    return 0
