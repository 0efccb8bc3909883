"""What several subcommands share: the options that name a device and a model, JSON output, tables."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pynq_ee import files, software
from pynq_ee.data import datasets
from pynq_ee.data.datasets import Digits
from pynq_ee.errors import InputError
from pynq_ee.inference import NAMED, EarlyExitInference
from pynq_ee.network import weights
from pynq_ee.remainder import ENGINES

#: The device whose signals can be written to a file.
_RTL = "sim-rtl"

#: Kinds of pictures that every supported matplotlib writes by itself; a name without a suffix is a PNG.
PICTURES = (".png", ".pdf", ".svg", ".jpg", ".jpeg", ".tif", ".tiff", ".eps", ".ps", "")


class Output(NamedTuple):
    """A file that a command will write: the option that names it, its path, and the suffixes that it may have.

    Without suffixes it may have any. ``remedy`` says what else can be done where it cannot be written.
    """

    option: str
    path: Path
    suffixes: tuple[str, ...] = ()
    remedy: str = ""


class OutputFolder(NamedTuple):
    """A folder that a command will write files into; see :class:`Output`."""

    option: str
    path: Path
    remedy: str = ""


def check_outputs(outputs: Iterable[Output | OutputFolder]) -> None:
    """Find out whether a command's files can be written, before its work begins; a module's ``outputs`` names them.

    Raises
    ------
    InputError
        A file cannot be written, or its suffix is not one of those that it may have.
    """
    for output in outputs:
        suffix = output.path.suffix.lower()
        if isinstance(output, Output) and output.suffixes and suffix not in output.suffixes:
            kinds = " or ".join(filter(None, output.suffixes))
            raise InputError(f"{output.option} is {output.path}; its name must end in {kinds}")
        check = files.check_way_out if isinstance(output, Output) else files.check_folder
        try:
            check(output.path)
        except OSError as error:
            raise InputError(
                f"{output.option} is {output.path}, which cannot be written ({error.strerror}: {error.filename}); "
                f"name another place{output.remedy}"
            ) from error


#: What each device is, for ``--help``.
DEVICES = {
    "board": "the board that this runs on (default)",
    "sim": "a simulated board with the compiled HLS kernel",
    "sim-numpy": "one without a compiler",
    "sim-rtl": "one of the whole overlay in RTL, clock by clock (needs Verilator)",
    software.DEVICE: "no board: all is computed by this machine's processor",
}


def add_device_options(parser: argparse.ArgumentParser, boards_only: bool = False) -> None:
    """Options that choose model, device, threshold and engine; :func:`open_network` reads them."""
    add_model_option(parser)
    devices = ["board", *(name for name in NAMED if not (boards_only and name == software.DEVICE))]
    parser.add_argument(
        "--device",
        choices=devices,
        default="board",
        help="; ".join(f"{name}: {DEVICES[name]}" for name in devices),
    )
    parser.add_argument(
        "--bitfile",
        help="the overlay's .bit (default: the device's own); open: the one by open tools, which no board has run",
    )
    parser.add_argument(
        "--threshold", type=threshold, help="nats; one number, or one an exit, as 0.4,0.2 (default: the model's own)"
    )
    parser.add_argument(
        "--remainder",
        choices=list(ENGINES),
        help="engine of the software exits (default: native where it was built, else numpy)",
    )
    parser.add_argument(
        "--batch",
        type=int,
        help="images in one DMA transfer, or computed at once, at most (default: 1024, or what the memory holds)",
    )
    parser.add_argument(
        "--threads",
        type=int,
        help="that share a batch in software; from 2 on, one more sees to the remainder beside the batches that follow "
        "(default: that one only, where there are two processors)",
    )


def add_waveform_option(parser: argparse.ArgumentParser) -> None:
    """The option that asks for a waveform; :func:`device_of` reads it, :func:`waveform` names the file."""
    parser.add_argument(
        "--vcd", type=Path, metavar="FILE", help=f"write a waveform of the simulated overlay (with --device {_RTL})"
    )


def waveform(args: argparse.Namespace) -> list[Output]:
    """The file that ``--vcd`` names, for a module's ``outputs``."""
    return [] if args.vcd is None else [Output("--vcd", args.vcd, (".vcd",), "")]


@contextmanager
def device_of(args: argparse.Namespace) -> Iterator[Any]:
    """The device that ``--device`` and ``--vcd`` ask for together; None: the one that ``--device`` names alone."""
    if args.vcd is None:
        yield None
        return
    if args.device != _RTL:
        raise InputError(f"--vcd is of --device {_RTL}, and --device is {args.device}: only there is a waveform")
    from pynq_ee.sim import SimulatedDevice
    from pynq_ee.sim.overlay_logic import OverlayFabric

    args.model = weights.load(args.model)
    with SimulatedDevice(args.model, kernel=partial(OverlayFabric, vcd=args.vcd)) as device:
        yield device


def add_model_option(parser: argparse.ArgumentParser) -> None:
    """The option that names a model."""
    parser.add_argument(
        "--model",
        default=weights.DEFAULT,
        help=f"a shipped model ({', '.join(weights.shipped_models())}) or the path of a model file",
    )


def add_json_option(parser: argparse.ArgumentParser) -> None:
    """The option that asks for JSON on standard output."""
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")


def open_network(args: argparse.Namespace, device: Any = None) -> EarlyExitInference:
    """Open what :func:`add_device_options` chose, or on a device that is open already."""
    return EarlyExitInference(
        args.model,
        device=device or (None if args.device == "board" else args.device),
        threshold=args.threshold,
        remainder=args.remainder,
        bitfile=args.bitfile,
        images_per_transfer=args.batch,
        threads=args.threads,
    )


def threshold(text: str) -> tuple[float, ...] | float:
    """Read a threshold option: ``0.4``, or ``0.4,0.2`` for one an exit."""
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of nats, nor several with commas") from error
    return numbers[0] if len(numbers) == 1 else numbers


def first(digits: Digits, count: int | None) -> Digits:
    """The first ``count`` of the digits, spread over the set so that every class is among them; None: all."""
    if count is None:
        return digits
    if not 1 <= count <= len(digits.labels):
        raise InputError(f"{count} images asked for; give 1 to {len(digits.labels)}, which {digits.source} has")
    rows = np.linspace(0, len(digits.labels) - 1, count).astype(int)
    return Digits(digits.images[rows], digits.labels[rows], digits.source)


def chosen_here(digits: Digits, thresholds: Any) -> bool:
    """Whether a model's own thresholds are judged on the very images on which they were chosen."""
    return thresholds is None and datasets.thresholds_chosen_on(digits)


#: What is said then.
CHOSEN_HERE = (
    "the thresholds were chosen on these very images, so the system's accuracy and shares are flattered; "
    "set PYNQ_EE_MNIST to a copy of MNIST for t10k, on which nothing was tuned"
)


def print_json(value: Any) -> None:
    """Print a value as JSON; NumPy numbers and arrays are allowed, infinity becomes a string."""
    print(json.dumps(plain(value), indent=2, allow_nan=False))


def plain(value: Any) -> Any:
    """A value in JSON's own types."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, float) and not np.isfinite(value):
        return str(value)
    return value


def table(rows: Iterable[Sequence[Any]], header: Sequence[str] = ()) -> str:
    """Rows as text with aligned columns."""
    lines = [[str(cell) for cell in row] for row in ([header] if header else []) + list(rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines]
    if header:
        text.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(text)


def percent(share: float, digits: int = 2) -> str:
    """A share as text: 0.98765 as ``98.77 %``."""
    return f"{100 * share:.{digits}f} %"


def nats(thresholds: Iterable[float]) -> str:
    """Thresholds as text: ``0.412, 0.230 nats``."""
    return ", ".join(f"{threshold:.3f}" for threshold in thresholds) + " nats"
