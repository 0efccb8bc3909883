"""``pynq-ee evaluate``: accuracy, early-exit share and threshold on images that nothing was tuned on."""

from __future__ import annotations

import argparse
from typing import Any

from pynq_ee.commands.common import (
    CHOSEN_HERE,
    add_device_options,
    add_json_option,
    chosen_here,
    first,
    nats,
    open_network,
    percent,
    print_json,
    table,
)
from pynq_ee.data import datasets
from pynq_ee.exits.scores import Outcome, Scores, outcome
from pynq_ee.network import weights

HELP = "measure accuracy and early exits on the test images"
EXAMPLES = """\
  pynq-ee evaluate --device sim                        the default model on t10k
  pynq-ee evaluate --device software                   the same figures, without a board or a simulation
  pynq-ee evaluate --device sim --threshold 0.2        another threshold
  pynq-ee evaluate --device sim --all-models           every shipped model, as a table in Markdown"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--images", type=int, help="how many of the digits (default: all)")
    parser.add_argument("--all-models", action="store_true", help="every shipped model, as a Markdown table")
    add_device_options(parser)
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    """Evaluate one model or all of them."""
    digits = first(datasets.available(), args.images)
    results = []
    for model in weights.shipped_models() if args.all_models else [args.model]:
        args.model = model
        with open_network(args) as network:
            scores = Scores.of(network.all_exits(digits.images), digits.labels)
            found = outcome(scores, network.threshold)
            results.append((network.model.network, network.threshold, found, str(network.device.name)))
    chosen = chosen_here(digits, args.threshold)
    if args.json:
        records = [
            {
                "network": name,
                "device": device,
                "data": digits.source,
                "thresholds": thresholds,
                "thresholds_chosen_on_these_images": chosen,
                **found.as_dict(),
            }
            for name, thresholds, found, device in results
        ]
        print_json(records if args.all_models else records[0])
        return 0
    if args.all_models:
        print(markdown(results, digits.source))
    else:
        name, thresholds, found, device = results[0]
        print(table(_rows(name, thresholds, found, device, digits.source)))
    if chosen:
        print(f"\nnote: {CHOSEN_HERE}")
    return 0


def markdown(results: list[tuple[str, tuple[float, ...], Outcome, str]], source: str) -> str:
    """A Markdown table of several models' outcomes."""
    lines = [
        f"| network, on {source} | accuracy | last exit alone | first exit alone | left early | left at each exit "
        "| threshold |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, thresholds, found, _ in results:
        cells = [
            f"`{name}`",
            percent(found.accuracy),
            percent(found.exit_accuracy[-1]),
            percent(found.exit_accuracy[0]),
            percent(found.early_share),
            ", ".join(percent(share) for share in found.shares),
            nats(thresholds),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _rows(name: str, thresholds: tuple[float, ...], found: Outcome, device: str, source: str) -> list[tuple[str, Any]]:
    return [
        ("device", device),
        ("network", name),
        ("data", f"{found.images} images, {source}"),
        ("threshold", nats(thresholds)),
        ("accuracy, system", percent(found.accuracy)),
        *((f"accuracy, exit {n} alone", percent(share)) for n, share in enumerate(found.exit_accuracy, start=1)),
        ("loss against the last exit", f"{found.loss_points:.3f} points"),
        *((f"left at exit {n}", percent(share)) for n, share in enumerate(found.shares, start=1)),
        ("left early", percent(found.early_share)),
    ]
