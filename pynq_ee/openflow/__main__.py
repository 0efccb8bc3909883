"""The command: see ``python -m pynq_ee.openflow --help``; ``make -C hw overlay FLOW=open`` runs it."""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path

from pynq_ee.bench.arguments import positive, whole
from pynq_ee.errors import status
from pynq_ee.network import spec, weights
from pynq_ee.openflow import tools
from pynq_ee.openflow.build import STEPS, Job, build

COMMAND = "python -m pynq_ee.openflow"

_ROOT = Path(__file__).resolve().parents[2]

#: Minutes that nextpnr-xilinx may take.
_MINUTES = 240.0

#: MHz of the fabric, where no other is asked for: with the margin, what one placement in a few reaches.
CLOCK_MHZ = 62.5

#: What Yosys says of its own compilation behind its revision: paths of another machine.
_HOW_BUILT = re.compile(r"(\(git sha1 \w+),.*")

_EXAMPLES = """examples:
  make -C hw overlay FLOW=open BOARD=pynq-z2                 synthesis first, then the command below
  python -m pynq_ee.openflow hw/build/open/netlist/netlist.json --seed 3 --clock 62.5

The programs are nextpnr-xilinx, fasm2frames and xc7frames2bit, on the PATH. The data are a database in prjxray's format
(--database or PYNQ_EE_XRAY_DATABASE) and the part's chip database (--chip-database or PYNQ_EE_CHIP_DATABASE); an
installation of openXC7 has them. What is missing is told at once, with how its project installs it.
"""


def build_parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    parser = argparse.ArgumentParser(
        prog=COMMAND,
        description="Make an experimental overlay with open tools, and prove of it what can be proved without a board.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    boards = [board.name for board in spec.BOARDS.values() if board.processor == "zynq7"]
    parser.add_argument(
        "netlist", type=Path, nargs="?", metavar="NETLIST.json", help="of zynq7_top by Yosys; NETLIST.v lies beside it"
    )
    parser.add_argument("--tools", action="store_true", help="only look for the programs and the data")
    parser.add_argument("--board", choices=boards, default=spec.DEFAULT_BOARD.name)
    parser.add_argument("--model", default=weights.DEFAULT, help="the one that is in it: a shipped name or a file")
    parser.add_argument("--clock", type=positive, default=CLOCK_MHZ, metavar="MHZ", help=f"default {CLOCK_MHZ:g}")
    parser.add_argument(
        "--at-least", type=positive, metavar="MHZ", help="be content with a clock down to this one (default: --clock)"
    )
    parser.add_argument("--seed", type=whole(), default=1, help="of the placer (default 1)")
    parser.add_argument(
        "--minutes", type=positive, default=_MINUTES, help=f"for placing, at most (default {_MINUTES:g})"
    )
    parser.add_argument("--database", type=Path, metavar="DIR", help=f"without it, {tools.DATABASE}")
    parser.add_argument("--chip-database", type=Path, metavar="FILE", help=f"without it, {tools.CHIP_DATABASE}")
    parser.add_argument("--yosys", default="not told", metavar="VERSION", help="of what made the netlist, to be noted")
    parser.add_argument("--rtl", type=Path, default=_ROOT / "hw/rtl", metavar="DIR", help="the sources, for digests")
    parser.add_argument("--output", type=Path, metavar="DIR", help="default overlay/open/BOARD")
    parser.add_argument("--json", action="store_true", help="print the manifest instead of the path")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run the command; 1 where a tool, a rule or a proof fails."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    if not options.tools and options.netlist is None:
        parser.error("name the netlist; `make -C hw overlay FLOW=open` makes one")
    board = spec.BOARDS[options.board]
    found = tools.find(board.part, options.database, options.chip_database)
    if options.tools:
        return 0
    job = Job(
        model=weights.load(options.model),
        model_name=str(options.model),
        netlist=options.netlist,
        simulated=options.netlist.with_suffix(".v"),
        rtl=options.rtl,
        board=board,
        clock_mhz=options.clock,
        lowest_mhz=options.clock if options.at_least is None else options.at_least,
        seed=options.seed,
        minutes=options.minutes,
        work=options.netlist.parent / "routed",
        target=options.output or _ROOT / "overlay/open" / board.name,
    )
    from tqdm import tqdm

    with tqdm(total=STEPS, disable=None, file=sys.stderr, bar_format="{desc:10}{bar} {n}/{total} {elapsed}") as bar:
        yosys = _HOW_BUILT.sub(r"\1)", options.yosys)
        bit = build(job, found, yosys, lambda step: (bar.set_description(step), bar.update())[0])
    manifest = json.loads(bit.with_name("manifest.json").read_text())
    print(json.dumps(manifest, indent=2) if options.json else f"{bit}\nPassed: {', '.join(manifest['passed'])}.")
    return 0


if __name__ == "__main__":
    sys.exit(status(COMMAND, main))
