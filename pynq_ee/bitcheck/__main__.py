"""The command: see ``python -m pynq_ee.bitcheck --help``."""

from __future__ import annotations

import argparse
import dataclasses
import gzip
import json
import os
import sys
import zlib
from pathlib import Path

from pynq_ee.bitcheck import verilog
from pynq_ee.bitcheck.check import STEPS, Findings, check
from pynq_ee.errors import PynqEEError, status

COMMAND = "python -m pynq_ee.bitcheck"

#: The database, where the option does not name one.
VARIABLE = "PYNQ_EE_XRAY_DATABASE"
#: Faults of one kind that are told one by one.
_TOLD = 20

_EXAMPLES = """examples:
  python -m pynq_ee.bitcheck overlay/first_exit.bit --database prjxray-db/zynq7
  python -m pynq_ee.bitcheck overlay/open/pynq-z2/first_exit.bit.gz --verilog first_exit.v --json

The database is in prjxray's format; an installation of openXC7 has one. It may be named by PYNQ_EE_XRAY_DATABASE.
The status is 1 if the file is no circuit: a bit without a feature, a sink without a driver or with two, or a use that
has no model here.
"""


def build_parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    parser = argparse.ArgumentParser(
        prog=COMMAND,
        description="Read a bitstream back into the netlist that it makes, from its bits alone.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("bitstream", type=Path, metavar="FILE", help="the .bit or .bin, or the .gz of one")
    parser.add_argument("--database", type=Path, metavar="DIR", help=f"the family's folder; without it, {VARIABLE}")
    parser.add_argument("--verilog", type=Path, metavar="OUT", help="write the netlist there")
    parser.add_argument("--json", action="store_true", help="print what was found as JSON")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    folder = options.database or (Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None)
    if folder is None:
        parser.error("name a database in prjxray's format by --database, or by PYNQ_EE_XRAY_DATABASE")
    try:
        data = options.bitstream.read_bytes()
        if options.bitstream.suffix == ".gz":
            data = gzip.decompress(data)
        from tqdm import tqdm

        with tqdm(total=STEPS, disable=None, file=sys.stderr, bar_format="{desc:10}{bar} {n}/{total} {elapsed}") as bar:
            found, netlist = check(data, folder, lambda step: (bar.set_description(step), bar.update())[0])
        if options.verilog:
            options.verilog.write_text(verilog.write(netlist, options.bitstream.name))
    except (OSError, EOFError, zlib.error, PynqEEError) as error:
        print(f"bitcheck: {error}", file=sys.stderr)
        return 1
    print(json.dumps(dataclasses.asdict(found), indent=2) if options.json else text(found))
    return 1 if found.faults else 0


def text(found: Findings) -> str:
    """What was found, to be read."""
    cells = ", ".join(f"{count:,} {type_}" for type_, count in found.cells.items())
    unused = ", ".join(f"{count:,} of {type_}" for type_, count in found.unused.items())
    lines = [
        f"part       {found.part}, {found.frames:,} frames, {found.checksums} checksums in the file, all right",
        f"bits       {found.bits:,} set, {len(found.unknown):,} unknown",
        f"features   {found.features:,}, and {found.switches:,} switches",
        f"wires      {len(found.fights):,} with more than one driver, {len(found.undriven):,} switched to nothing",
        f"cells      {cells}",
        f"not used   {unused or 'nothing'}",
    ]
    faults = found.faults
    lines += [f"fault      {fault}" for fault in faults[:_TOLD]]
    if len(faults) > _TOLD:
        lines.append(f"           and {len(faults) - _TOLD:,} more; --json has all")
    lines.append("This file is no circuit." if faults else "If the database is right, this file is this circuit.")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(status(COMMAND, main))
