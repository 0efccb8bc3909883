"""What every ``python -m`` program of the benchmarks says of itself."""

from __future__ import annotations

import argparse


def parser(command: str, description: str | None, examples: str) -> argparse.ArgumentParser:
    """A program's parser: the first line of its module's text, and its examples behind the options."""
    return argparse.ArgumentParser(
        prog=command,
        description=(description or "").splitlines()[0],
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
