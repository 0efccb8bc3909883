"""``pynq-ee info``: what is installed here, and what a model is."""

from __future__ import annotations

import argparse
import platform
from collections.abc import Iterator
from importlib import metadata
from typing import Any

from pynq_ee import __version__, remainder, software
from pynq_ee.commands.common import add_json_option, add_model_option, print_json, table
from pynq_ee.network import spec, weights

HELP = "tell what is installed here and what a model is"
EXAMPLES = """\
  pynq-ee info
  pynq-ee info --model lenet5-3exit --json
  pynq-ee info --build-id                     the identity that a bitstream of the model must carry"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_model_option(parser)
    parser.add_argument("--build-id", action="store_true", help="print the model's build_id and nothing else")
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    """Print the versions, the model and its identity."""
    model = weights.load(args.model)
    if args.build_id:
        print(f"{model.build_id:08x}")
        return 0
    facts = {
        "pynq_ee": __version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        **{name: _version(name) for name in ("numpy", "pynq", "pillow")},
        "remainder engines": remainder.available(),
        "device software": software.described(remainder.default()),
        "model": args.model,
        "network": model.network,
        "exits": model.exits,
        "build_id": f"0x{model.build_id:08x}",
        "thresholds, nats": [round(value, 3) for value in model.thresholds],
        "pixels a beat": model.spec.pixels_per_beat,
        "clocks an image": model.spec.image_beats,
        "shipped models": weights.shipped_models(),
        "boards": list(spec.BOARDS),
        "metadata": model.metadata,
    }
    if args.json:
        print_json(facts)
    else:
        print(table(_lines(facts)))
    return 0


def _lines(facts: dict[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """A line for each fact, those of a dictionary within as ``above: name``."""
    for name, value in facts.items():
        if isinstance(value, dict):
            yield from _lines(value, f"{above}{name}: ")
        else:
            yield f"{above}{name}", ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"
