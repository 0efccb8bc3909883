"""``pynq-ee download``: MNIST from its mirrors, each file checked before it is kept."""

from __future__ import annotations

import argparse
import sys
from importlib.util import find_spec
from pathlib import Path

from pynq_ee.commands.common import OutputFolder, add_json_option, print_json
from pynq_ee.data import datasets

HELP = "fetch MNIST: 60,000 training and 10,000 test images, 11 MB"
EXAMPLES = """\
  pynq-ee download                    into the cache, where all commands find it
  pynq-ee download --folder mnist     somewhere else; then PYNQ_EE_MNIST=mnist pynq-ee evaluate --device sim

Files that are there and whole are not fetched again. Without --folder they go where PYNQ_EE_MNIST says, else into the
cache (PYNQ_EE_CACHE, else pynq_ee in XDG_CACHE_HOME or ~/.cache)."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--folder", type=Path, help="where to put the four files (default: see below)")
    add_json_option(parser)


def outputs(args: argparse.Namespace) -> list[OutputFolder]:
    """The folder of the files."""
    return [OutputFolder("--folder", args.folder)] if args.folder else []


def run(args: argparse.Namespace) -> int:
    """Fetch what is missing, and say where it is."""
    folder = datasets.download(args.folder, progress=_bar() if find_spec("tqdm") else _line)
    if args.json:
        print_json({"folder": folder.absolute(), "files": sorted(path.name for path in folder.iterdir())})
        return 0
    print(f"MNIST is in {folder.absolute()}")
    if args.folder:
        print(f"for other commands to find it there: export PYNQ_EE_MNIST={folder.absolute()}")
    return 0


def _bar() -> datasets.Progress:
    """A bar for each file."""
    from tqdm import tqdm

    bars: dict[str, tqdm] = {}

    def progress(address: str, done: int, total: int | None) -> None:
        if address not in bars:
            bars[address] = tqdm(desc=address, total=total, unit="B", unit_scale=True)
        bars[address].update(done - bars[address].n)
        if done == total:
            bars[address].close()

    return progress


def _line(address: str, done: int, total: int | None) -> None:
    """A line for each file, where tqdm is not installed."""
    if not done:
        print(f"{address}, {total or 'unknown'} bytes", file=sys.stderr, flush=True)
