"""``pynq-ee hardware``: clocks, latency and resources of the circuit, as a table."""

from __future__ import annotations

import argparse
import dataclasses

from pynq_ee import weights
from pynq_ee.commands.common import add_json_option, add_model_option, print_json

HELP = "tell clocks, latency and resources of the circuit"
EXAMPLES = """\
  pynq-ee hardware                  a Markdown table, for both stream widths and every part
  pynq-ee hardware --json"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_model_option(parser)
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    """Print the table."""
    from pynq_ee.bench import hardware

    rows = hardware.figures(weights.load(args.model).spec)
    if args.json:
        print_json([dataclasses.asdict(row) for row in rows])
    else:
        print(hardware.markdown(rows))
    return 0
