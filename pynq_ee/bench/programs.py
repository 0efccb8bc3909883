"""What every ``python -m`` program of the benchmarks says of itself."""

from __future__ import annotations

import argparse


def parser(command: str, text: str | None, examples: str | None = None) -> argparse.ArgumentParser:
    """A program's parser, which tells its module's text: the first line, and the examples behind the options.

    Where there are none, they are in the text, and that is told whole.
    """
    return argparse.ArgumentParser(
        prog=command,
        description=text if examples is None else (text or "").splitlines()[0],
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
