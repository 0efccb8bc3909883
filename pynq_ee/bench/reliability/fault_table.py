"""Write the table of the simulated board's faults into the page on reliability: its source is the code.

python -m pynq_ee.bench.reliability.fault_table            write it into docs/reliability.md
python -m pynq_ee.bench.reliability.fault_table --check    fail if the page has another one
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pynq_ee
from pynq_ee.errors import InputError
from pynq_ee.files import write_atomically

PAGE = Path(pynq_ee.__file__).parent.parent / "docs" / "reliability.md"
BEGIN = "<!-- faults: written by python -m pynq_ee.bench.reliability.fault_table -->"
END = "<!-- faults end -->"


def with_faults(text: str) -> str:
    """A page's text with the present table between its two marks.

    Raises
    ------
    InputError
        The marks are not both there, once.
    """
    from pynq_ee.sim import faults

    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise InputError(f"the page must have {BEGIN!r} and {END!r}, each once")
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{faults.markdown()}\n\n{END}{rest.partition(END)[2]}"


def main(argv: list[str] | None = None) -> int:
    """Write or check the page; 1 if a checked page is stale."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", nargs="?", type=Path, default=PAGE, help="the page (default: docs/reliability.md)")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if the page is stale")
    args = parser.parse_args(argv)
    text = args.page.read_text()
    wanted = with_faults(text)
    if args.check:
        return int(text != wanted)
    write_atomically(args.page, wanted.encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
