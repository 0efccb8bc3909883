"""``pynq-ee bringup``: the first time on a board, step by step, and what was measured there."""

from __future__ import annotations

import argparse
import json
import os
import stat
from pathlib import Path
from typing import Any

from pynq_ee.commands.common import (
    Output,
    add_device_options,
    add_json_option,
    first,
    open_network,
    plain,
    print_json,
    table,
)
from pynq_ee.data import datasets
from pynq_ee.errors import DataError
from pynq_ee.files import read_json, write_atomically

HELP = "try a board step by step, and measure it"
EXAMPLES = """\
  pynq-ee bringup                          on a board: every step told before it is done, ten minutes or so
  pynq-ee bringup --images 10000           a shorter long run
  pynq-ee bringup --overlay open           with the experimental bitstream, made without Vivado
  pynq-ee bringup --share bringup.json     a record as text to paste into a report of an issue
  pynq-ee bringup --device sim --images 5000   what it looks like, without a board

A board that freezes is switched off and on again; the last line of bringup.log tells at which step it froze.
pynq-ee report results.json --bringup bringup.json puts the figures beside the modelled ones."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--images", type=int, default=1_000_000, help="images of the long run (default 1000000)")
    parser.add_argument("--sample", type=int, help="images that are compared with NumPy (default: the whole sample)")
    parser.add_argument("--output", type=Path, default=Path("bringup.json"), help="the record (default bringup.json)")
    parser.add_argument("--log", type=Path, default=Path("bringup.log"), help="each line, kept (default bringup.log)")
    parser.add_argument("--share", type=Path, metavar="RECORD", help="only print a record as text to paste")
    add_device_options(parser, boards_only=True)
    parser.add_argument("--overlay", dest="bitfile", help="as --bitfile: open, or the path of a .bit")
    add_json_option(parser)


def outputs(args: argparse.Namespace) -> list[Output]:
    """The record, and the lines."""
    return [] if args.share else [Output("--output", args.output), Output("--log", args.log)]


def run(args: argparse.Namespace) -> int:
    """Take the steps, write the record, print the table."""
    from pynq_ee.bench import bringup

    if args.share:
        print(shared(read(args.share)))
        return 0
    digits = first(datasets.available(), args.sample)
    args.log.parent.mkdir(parents=True, exist_ok=True)
    with args.log.open("w") as log:
        on_disk = stat.S_ISREG(os.fstat(log.fileno()).st_mode)

        def say(line: str) -> None:
            """Print a line, and see that it is on the disk before anything is done."""
            if not args.json:
                print(line, flush=True)
            print(line, file=log, flush=True)
            if on_disk:
                os.fsync(log.fileno())

        record = bringup.Bringup(lambda: open_network(args), digits, args.images, say).run()
    write_atomically(args.output, (json.dumps(plain(record), indent=2) + "\n").encode())
    if args.json:
        print_json(record)
    else:
        print(f"\n{_figures(record)}\n\nrecord: {args.output}, lines: {args.log}")
    return int(record["failed"] is not None)


def read(path: Path) -> dict[str, Any]:
    """A record that this command wrote.

    Raises
    ------
    DataError
        It is none.
    """
    try:
        record: dict[str, Any] = read_json(path)
        record["machine"], record["steps"], record["failed"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is no record of `pynq-ee bringup` ({error})") from error
    return record


def shared(record: dict[str, Any]) -> str:
    """A record as Markdown, to paste into a report of an issue: no path, no name of a user or host."""
    machine = record["machine"]
    facts = {
        "board": f"{record.get('board', 'unknown')} ({record.get('device', 'not opened')})",
        "model": f"{record.get('model')}, {record.get('pixels_per_beat')} pixels a beat",
        "build_id": record.get("build_id"),
        "fabric's clock": f"{record.get('clock_mhz')} MHz",
        "system": f"{machine['system']}, Python {machine['python']}",
        "versions": ", ".join(f"{name} {version}" for name, version in machine["versions"].items()),
        "completion": record.get("completion", ""),
    }
    lines = [f"- {name}: {value}" for name, value in facts.items()]
    return "\n".join(["### pynq-ee bringup", "", *lines, "", "```text", _figures(record), "```"])


def _figures(record: dict[str, Any]) -> str:
    """Steps, rates and the rest of a record as text."""
    from pynq_ee.bench import bringup

    parts = [table([(each["step"], f"{each['seconds']:.1f} s") for each in record["steps"]]) if record["steps"] else ""]
    if failed := record["failed"]:
        parts.append(f"FAILED at: {failed['step']}\n{failed['error']}")
    if record.get("rates"):
        parts += [bringup.measured_on(record), table(bringup.table(record), bringup.header(record))]
    if latency := record.get("latency_microseconds"):
        parts.append(
            f"one image: {latency['waited for']:.0f} us waited for, {latency['awaited']:.0f} us awaited "
            f"({latency['completion']})"
        )
    if long_run := record.get("long_run"):
        parts.append(
            f"{long_run['images']:,} images, {long_run['wrong']} wrong, {long_run['retries']} retries, "
            f"{long_run['recoveries']} recoveries"
        )
    if spent := record.get("energy", {}).get("microjoules_an_image"):
        parts.append(f"{spent:.1f} uJ an image ({record['energy']['source']})")
    return "\n\n".join(part for part in parts if part)
