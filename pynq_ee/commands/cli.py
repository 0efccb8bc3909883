"""``pynq-ee``: one command, a table of subcommands, each a module of :mod:`pynq_ee.commands`."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import sys
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

from pynq_ee import __version__
from pynq_ee.commands.common import check_outputs
from pynq_ee.errors import InputWarning, status

#: Subcommands in the order in which a user meets them.
COMMANDS = (
    "demo",
    "download",
    "classify",
    "evaluate",
    "calibrate",
    "bench",
    "report",
    "trace",
    "train",
    "export",
    "hardware",
    "bringup",
    "info",
    "doctor",
)


def build_parser() -> argparse.ArgumentParser:
    """Build the whole parser; every subcommand's module is imported, none of its heavy dependencies."""
    parser = argparse.ArgumentParser(
        prog="pynq-ee", description="Early-exit inference on a PYNQ board, part circuit, part Python."
    )
    parser.add_argument("--version", action="version", version=f"pynq_ee {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in COMMANDS:
        module = importlib.import_module(f"pynq_ee.commands.{name}")
        subparser = subparsers.add_parser(
            name,
            help=module.HELP,
            description=module.HELP[0].upper() + module.HELP[1:] + ".",
            epilog=f"examples:\n{module.EXAMPLES}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.configure(subparser)
        subparser.set_defaults(run=module.run, outputs=getattr(module, "outputs", None))
    return parser


@contextlib.contextmanager
def _told_warnings(command: str) -> Iterator[None]:
    """Within, a warning of an image is a line on standard error, each one, without the place in the code."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", InputWarning)
        usual = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
            if issubclass(category, InputWarning):
                print(f"pynq-ee {command}: warning: {message}", file=sys.stderr)
            else:
                usual(message, category, *place, **more)

        warnings.showwarning = show
        yield


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, once it is known that its files can be written."""
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")  # a file's name need not be text
    args = build_parser().parse_args(arguments)

    def run() -> int:
        if outputs := getattr(args, "outputs", None):
            check_outputs(outputs(args))
        with _told_warnings(args.command):
            return int(args.run(args))

    return status(f"pynq-ee {args.command}", run)


if __name__ == "__main__":
    sys.exit(main())
