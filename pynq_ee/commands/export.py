"""``pynq-ee export``: a checkpoint or an old file as a model file, a model as the hardware's generated headers."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from pynq_ee.commands.common import Output, OutputFolder
from pynq_ee.data import datasets
from pynq_ee.errors import InputError, ToolError
from pynq_ee.generate import constants
from pynq_ee.network import float_model, post_training, spec, weights

HELP = "turn a checkpoint into a model file and the hardware's generated headers"
EXAMPLES = """\
  pynq-ee export two.pt --output two.npz                       a checkpoint as a model file
  pynq-ee export two.pt --output two.npz --generated hw/generated
  pynq-ee export old.npz --output new.npz                      a file whose remainder is in floating point: convert it
  pynq-ee export lenet5-2exit --generated hw/generated         a shipped model's headers
  pynq-ee export lenet5-2exit --pixels-per-beat 4 --output narrow.npz --generated build/narrow

After an export to hw/generated the bitstream is another one: rebuild it with hw/build.tcl."""

#: Of the validation images every fifth shows what activations there are: a thousand.
CALIBRATION_STEP = 5


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("source", help="a checkpoint (.pt), a model file (.npz), or a shipped model's name")
    parser.add_argument("--output", type=Path, help="the model file (.npz) to write")
    parser.add_argument("--generated", type=Path, metavar="FOLDER", help="write the C++ and Tcl constants there")
    parser.add_argument(
        "--pixels-per-beat", type=int, choices=[4, 8], help="width of the streams: 4 (32 bit) or 8 (64 bit)"
    )


def outputs(args: argparse.Namespace) -> list[Output | OutputFolder]:
    """The model file, and the folder of the constants."""
    named: list[Output | OutputFolder] = [Output("--output", args.output, (".npz",))] if args.output else []
    return [*named, OutputFolder("--generated", args.generated)] if args.generated else named


def run(args: argparse.Namespace) -> int:
    """Export what was asked for."""
    if not (args.output or args.generated):
        raise InputError("nothing to write: give --output, --generated, or both")
    trained = _from_checkpoint(Path(args.source)) if args.source.endswith(".pt") else float_model.load(args.source)
    if trained is None:
        model = weights.load(args.source)
    else:
        digits = datasets.calibration()
        model = post_training.quantize(trained, digits.images[::CALIBRATION_STEP])
        print(f"the remainder is in integers, its scales calibrated on {digits.source}")
    if args.pixels_per_beat:
        changed: spec.Spec = dataclasses.replace(model.spec, pixels_per_beat=args.pixels_per_beat)
        model = dataclasses.replace(model, spec=changed)
    if args.output:
        weights.save(model, args.output)
        print(f"{args.output}: {model.network}, build_id {model.build_id:08x}")
        if not any(model.thresholds):
            print(f"no image leaves early yet; next: pynq-ee calibrate --model {args.output} --device sim")
    if args.generated:
        constants.generate(model, args.generated)
        print(f"{args.generated}: build_id {model.build_id:08x}")
    return 0


def _from_checkpoint(path: Path) -> float_model.FloatModel:
    try:
        from pynq_ee.train.export import to_float_model
        from pynq_ee.train.loop import load_checkpoint
    except ImportError as error:
        raise ToolError(f"reading a checkpoint needs PyTorch ({error}): pip install 'pynq_ee[train]'") from error
    settings, network, epochs = load_checkpoint(path)
    made = {key: value for key, value in settings.to_json().items() if key != "spec"}
    return to_float_model(network, {"training": {**made, "epochs_done": epochs}})
