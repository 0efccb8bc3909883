"""``pynq-ee calibrate``: thresholds under a constraint, saved with the model."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pynq_ee.commands.common import (
    PICTURES,
    Output,
    add_device_options,
    add_json_option,
    nats,
    open_network,
    percent,
    print_json,
    table,
)
from pynq_ee.data import datasets
from pynq_ee.exits import calibration as _calibration
from pynq_ee.exits.scores import Scores
from pynq_ee.network import weights

HELP = "find the thresholds under a constraint, on the validation images"
EXAMPLES = """\
  pynq-ee calibrate --device sim --model two.npz                     at least 98 % early exits on validation
  pynq-ee calibrate --device sim --max-loss-points 0.1 --output calibrated.npz --picture calibration.png
  pynq-ee calibrate --device sim --max-loss-points 0.1 --delta 0.1   ... with a probability of 90 %
  pynq-ee calibrate --min-throughput 500000 --json                   the greatest accuracy at that rate
  pynq-ee calibrate --device software --min-throughput 200000        the same for this machine without a board"""

#: Share of early exits that is asked for where no constraint is given. From 5,000 images a share of 98 % is known to
#: 0.2 points; of a loss of 0.05 points, which is 2.5 images, next to nothing is known.
DEFAULT_EARLY_SHARE = 0.98


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    constraint = parser.add_mutually_exclusive_group()
    constraint.add_argument(
        "--min-early-share",
        type=float,
        metavar="SHARE",
        help=f"share of the images that leaves before the last exit, at least (default {DEFAULT_EARLY_SHARE})",
    )
    constraint.add_argument(
        "--max-loss-points",
        type=float,
        metavar="POINTS",
        help="percentage points of accuracy to lose against the last exit, at most",
    )
    constraint.add_argument("--min-throughput", type=float, metavar="RATE", help="images a second, at least")
    constraint.add_argument("--max-mean-seconds", type=float, metavar="SECONDS", help="seconds an image, at most")
    constraint.add_argument("--max-mean-joules", type=float, metavar="JOULES", help="joules an image, at most")
    parser.add_argument(
        "--delta", type=float, help="the loss may be above its bound with this probability only: risk-controlled"
    )
    parser.add_argument("--measure", action="store_true", help="weigh the exits by their measured time in any case")
    parser.add_argument("--output", type=Path, help="the model file to write (default: --model, if that is a file)")
    parser.add_argument("--picture", type=Path, help="a picture of the trade-off, the rate and the Pareto front")
    add_device_options(parser)
    add_json_option(parser)


def outputs(args: argparse.Namespace) -> list[Output]:
    """The model file and the picture."""
    model, picture = _output(args), args.picture
    named = [Output("--output", model, (".npz",), ": --output FILE.npz")] if model else []
    return [*named, Output("--picture", picture, PICTURES)] if picture else named


def _output(args: argparse.Namespace) -> Path | None:
    """The model file to write: the one that is named, or the model's own."""
    return args.output or (Path(args.model) if Path(args.model).suffix == ".npz" else None)


def run(args: argparse.Namespace) -> int:
    """Calibrate, save, draw."""
    constraint = {name: getattr(args, name) for name in _calibration.CONSTRAINTS if getattr(args, name) is not None}
    constraint = constraint or {"min_early_share": DEFAULT_EARLY_SHARE}
    output = _output(args)
    digits = datasets.calibration()
    with open_network(args) as network:
        costs = _costs(args, constraint, network, digits)
        scores = Scores.of(network.all_exits(digits.images), digits.labels)
        device = str(network.device.name)
        model = network.model
    chosen = _calibration.optimum(scores, costs, delta=args.delta, **constraint)
    record = {**chosen.as_dict(), "data": digits.source, "device": device}
    if args.picture:
        from pynq_ee.bench import plots

        plots.calibration(scores, chosen, args.picture, title=f"{model.network}, {digits.source}, {device}")
    if output:
        weights.save(model.with_thresholds(chosen.thresholds, calibration=record), output)
    if args.json:
        print_json({**record, "output": output, "picture": args.picture})
    else:
        print(table(_rows(chosen, digits.source, device)))
        print(f"saved in {output}" if output else "not saved: give --output FILE.npz to keep these thresholds")
    return 0


def _costs(args, constraint, network, digits):  # type: ignore[no-untyped-def]
    """Costs that the constraint asks for; None where each software stage may count as one."""
    from pynq_ee.bench import energy, machine
    from pynq_ee.exits import costs

    joules = "max_mean_joules" in constraint
    if not (joules or args.measure or "seconds" in map(_calibration.CONSTRAINTS.get, constraint)):
        return None
    if warning := machine.busy():
        print(f"pynq-ee calibrate: {warning}", file=sys.stderr)
    if joules:
        return energy.joules(costs.measure(network, digits.images), energy.model_for(network.board))
    return costs.measure(network, digits.images)


def _rows(chosen: _calibration.Calibration, source: str, device: str) -> list[tuple[str, str]]:
    result = chosen.outcome
    ((name, value),) = chosen.constraint.items()
    rows = [
        ("device", device),
        ("data", f"{result.images} images, {source}"),
        ("constraint", f"{name} = {value:g}, {chosen.mode}"),
        *((key, f"{detail:g}") for key, detail in chosen.details.items()),
        ("threshold", nats(chosen.thresholds)),
        ("accuracy, system", percent(result.accuracy)),
        *((f"accuracy, exit {n} alone", percent(share)) for n, share in enumerate(result.exit_accuracy, start=1)),
        ("loss against the last exit", f"{result.loss_points:.3f} points"),
        *((f"left at exit {n}", percent(share)) for n, share in enumerate(result.shares, start=1)),
        ("mean cost", f"{chosen.mean_cost:.4g} {chosen.costs.unit} an image ({chosen.costs.source})"),
    ]
    if chosen.costs.unit != "stages":
        low, high = chosen.costs.spread
        rows.append(
            ("spread of the cost", f"{100 * (low - 1):+.0f} % to {100 * (high - 1):+.0f} % over the repetitions")
        )
    if chosen.costs.unit == "seconds":
        rows.append(("throughput", f"{1 / chosen.mean_cost:,.0f} images a second"))
    return rows
