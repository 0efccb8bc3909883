"""Write the table of the simulated board's faults into the page on reliability: its source is the code."""

from __future__ import annotations

import sys
from pathlib import Path

import pynq_ee
from pynq_ee.bench import pages, programs
from pynq_ee.errors import status
from pynq_ee.files import write_atomically

COMMAND = "python -m pynq_ee.bench.reliability.fault_table"
_EXAMPLES = f"""\
examples:
  {COMMAND}            write it into docs/reliability.md
  {COMMAND} --check    fail if the page has another one"""

PAGE = Path(pynq_ee.__file__).parent.parent / "docs" / "reliability.md"


def main(argv: list[str] | None = None) -> int:
    """Write or check the page; 1 if a checked page is stale."""
    from pynq_ee.sim import faults

    parser = programs.parser(COMMAND, __doc__, _EXAMPLES)
    parser.add_argument("page", nargs="?", type=Path, default=PAGE, help="the page (default: docs/reliability.md)")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if the page is stale")
    args = parser.parse_args(argv)
    text = pages.content(args.page)
    wanted = pages.replaced(text, COMMAND, faults.markdown())
    if args.check:
        return int(text != wanted)
    write_atomically(args.page, wanted.encode())
    return 0


if __name__ == "__main__":
    sys.exit(status(COMMAND, main))
