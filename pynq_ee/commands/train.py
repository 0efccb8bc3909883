"""``pynq-ee train``: a network from MNIST, as a checkpoint."""

from __future__ import annotations

import argparse
import dataclasses
import importlib
from pathlib import Path

import numpy as np

from pynq_ee.commands.common import Output
from pynq_ee.data import datasets
from pynq_ee.data.datasets import Digits
from pynq_ee.errors import InputError, ToolError
from pynq_ee.network import spec

HELP = "train a network, quantization-aware"
EXAMPLES = """\
  pynq-ee train --output two.pt                                     the two-exit network, the defaults; an hour or two
  pynq-ee train --output two.pt --resume                            go on after an interruption
  pynq-ee train --network lenet5-3exit --first-exit two.pt --output three.pt
                                                                    three exits on the same circuit
  pynq-ee train --branch-weight-bits 4 --branch-channels 8 --output wide.pt
  pynq-ee train --download --output two.pt                          pynq-ee download first
  pynq-ee train --sample --epochs 5 --output try.pt                 no MNIST: a try on the sample digits, a minute

then: pynq-ee export two.pt --output two.npz --generated hw/generated"""

#: Of the sample digits, every fifth is held out where training is tried on them.
_SAMPLE_HELD_OUT = 5


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--output", type=Path, required=True, help="the checkpoint, written after every epoch")
    parser.add_argument("--network", choices=list(spec.NETWORKS), default=spec.DEFAULT_NETWORK)
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint, if it is there")
    parser.add_argument(
        "--first-exit", type=Path, metavar="CHECKPOINT", help="take the first exit from there and leave it as it is"
    )
    parser.add_argument("--dropout", type=float, default=0.15, help="of the remainder's hidden layers, 0 to below 1")
    parser.add_argument("--epochs", type=int, default=45)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--batch", type=int, default=250)
    parser.add_argument("--learning-rate", type=float, default=5e-3)
    parser.add_argument("--weight-decay", type=float, default=1e-4)
    parser.add_argument("--exit-weights", type=_numbers, default=(), help="of each exit's loss, as 0.7,1 (the default)")
    parser.add_argument("--distillation", type=float, default=0.9, help="share of an early exit's loss, 0 to 1")
    parser.add_argument("--augmentation", type=float, default=0.7, help="strength of the distortion, 0 to 1")
    for name in ("trunk", "branch", "classifier"):
        default = getattr(spec.DEFAULT, f"{name}_weight_bits")
        parser.add_argument(
            f"--{name}-weight-bits",
            type=int,
            choices=[2, 4],
            default=default,
            help=f"2 (ternary) or 4; default {default}",
        )
    parser.add_argument("--branch-channels", type=int, default=spec.DEFAULT.branch_channels, help="1 to 16")
    parser.add_argument("--threads", type=int, help="of PyTorch (default: all)")
    parser.add_argument("--download", action="store_true", help="pynq-ee download first, if MNIST is not here")
    parser.add_argument("--sample", action="store_true", help="train on 4,000 of the sample digits, to try it out")


def outputs(args: argparse.Namespace) -> list[Output]:
    """The checkpoint."""
    return [Output("--output", args.output)]


def run(args: argparse.Namespace) -> int:
    """Train and say what came of it."""
    loop = _import_loop()
    if args.threads is not None:
        loop.use_threads(args.threads)
    if args.download:
        print(f"MNIST is in {datasets.download()}")
    training, validation = sample_split() if args.sample else (datasets.load("train"), datasets.load("validation"))
    try:
        fabric_spec = spec.Spec(
            branch_channels=args.branch_channels,
            trunk_weight_bits=args.trunk_weight_bits,
            branch_weight_bits=args.branch_weight_bits,
            classifier_weight_bits=args.classifier_weight_bits,
        )
    except ValueError as error:
        raise InputError(str(error)) from error
    first_exit = None
    if args.first_exit:
        taken_settings, taken, _ = loop.load_checkpoint(args.first_exit)
        fabric_spec, first_exit = taken_settings.spec, taken.first_exit.state_dict()
    names = {field.name for field in dataclasses.fields(loop.Settings)} & vars(args).keys()
    settings = loop.Settings(
        **{name: getattr(args, name) for name in names},
        spec=fabric_spec,
        freeze_first_exit=first_exit is not None,
    )
    loop.train(settings, training, validation, args.output, resume=args.resume, first_exit=first_exit)
    print(f"{args.output} is trained; next: pynq-ee export {args.output} --output {args.output.with_suffix('.npz')}")
    return 0


def _import_loop():  # type: ignore[no-untyped-def]
    try:
        return importlib.import_module("pynq_ee.train.loop")
    except ImportError as error:
        raise ToolError(f"training needs PyTorch and tqdm ({error}): pip install 'pynq_ee[train]'") from error


def sample_split() -> tuple[Digits, Digits]:
    """The sample digits in two parts, as ``--sample`` has them: to train on, and held out."""
    sample = datasets.load("sample")
    held = np.arange(len(sample.labels)) % _SAMPLE_HELD_OUT == 0
    return (
        Digits(sample.images[~held], sample.labels[~held], f"{sample.source}, four fifths"),
        Digits(sample.images[held], sample.labels[held], f"{sample.source}, one fifth"),
    )


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of numbers with commas") from error
