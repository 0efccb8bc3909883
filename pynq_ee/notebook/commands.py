"""The commands of a terminal, from a cell: ``pynq-ee``, and make in the hardware's folder."""

from __future__ import annotations

import importlib.util
import shlex
import shutil
from pathlib import Path
from typing import Any

from pynq_ee.commands import cli
from pynq_ee.commands import train as _train
from pynq_ee.commands.common import nats, percent, table
from pynq_ee.data import datasets
from pynq_ee.data.datasets import Digits
from pynq_ee.errors import DeviceError, IdentityError, OverlayError, ToolError
from pynq_ee.generate import constants
from pynq_ee.inference import EarlyExitInference
from pynq_ee.network import weights
from pynq_ee.network.spec import DEFAULT_BOARD
from pynq_ee.notebook.devices import tools_missing

#: Of the C simulation: it compiles for longer than it runs.
_QUICK_TO_COMPILE = "-O1"


def pynq_ee(command: str) -> None:
    """Run ``pynq-ee COMMAND`` in this kernel, as a terminal would.

    Raises
    ------
    ToolError
        It failed; what it printed says why.
    """
    print(f"$ pynq-ee {command}")
    if status := cli.main(shlex.split(command)):
        raise ToolError(f"`pynq-ee {command}` ended with {status}; see what it printed above")


def on(device: Any) -> str:
    """The option of a command that names a notebook's device: ``--device sim``, or ``board`` for None."""
    return f"--device {'board' if device is None else device}"


def train(options: str, checkpoint: str | Path, model: str | Path) -> str | Path:
    """Train and export a network, where PyTorch is.

    Parameters
    ----------
    options
        Of ``pynq-ee train``, all but ``--output``.
    checkpoint, model
        The files to write.

    Returns
    -------
    The path of the model file. On a machine without PyTorch, such as a board: ``model`` too, where it is there already,
    exported elsewhere; else the name of a shipped model.
    """
    if importlib.util.find_spec("torch") is not None:
        pynq_ee(f"train {options} --output {shlex.quote(str(checkpoint))}")
        pynq_ee(f"export {shlex.quote(str(checkpoint))} --output {shlex.quote(str(model))}")
        return Path(model)
    found = Path(model) if Path(model).is_file() else weights.DEFAULT
    print(
        "There is no PyTorch here, and for a PYNQ-Z1 or Z2 none can be installed: train on another machine with\n"
        f"  pynq-ee train {options} --output {checkpoint}\n  pynq-ee export {checkpoint} --output {model}\n"
        f"and copy {model} here. This notebook goes on with {found}."
    )
    return found


def held_out(options: str) -> Digits:
    """Digits that a network trained with some options of ``pynq-ee train`` has not seen: to calibrate it on."""
    return _train.sample_split()[1] if "--sample" in shlex.split(options) else datasets.calibration()


def calibrate(model: str | Path, device: Any, digits: Digits, output: str | Path, **constraint: float) -> None:
    """Choose thresholds on some digits, print what they do there, and keep them in a model file.

    Parameters
    ----------
    model
        A model file, or a shipped model's name.
    device
        What computes the first exit.
    digits
        Never trained on.
    output
        The model file to write.
    constraint
        As of :meth:`~pynq_ee.inference.EarlyExitInference.calibrate`.
    """
    with EarlyExitInference(model, device=device) as network:
        found = network.calibrate(digits.images, digits.labels, **constraint)
        record = {**found.as_dict(), "data": digits.source, "device": str(network.device.name)}
        weights.save(network.model.with_thresholds(found.thresholds, calibration=record), output)
    result = found.outcome
    rows = [
        ("device", record["device"]),
        ("data", f"{result.images} images, {digits.source}"),
        ("constraint", ", ".join(f"{name} = {value:g}" for name, value in found.constraint.items())),
        ("threshold", nats(found.thresholds)),
        ("accuracy, system", percent(result.accuracy)),
        *((f"accuracy, exit {n} alone", percent(share)) for n, share in enumerate(result.exit_accuracy, start=1)),
        ("left early", percent(result.early_share)),
    ]
    print(f"{table(rows)}\nsaved in {output}")


def c_simulation(model: str | Path, folder: str | Path) -> Path:
    """Write a model's constants for the circuit, and run the circuit's C++ with them against the test vectors.

    Parameters
    ----------
    model
        A model file, or a shipped model's name.
    folder
        Where the constants (``generated``) and what is built of them go; the hardware's own folder is left alone.

    Returns
    -------
    The folder of the constants. Where make, a compiler or the headers of hls4ml are missing, that is printed, and the
    constants are all that there is.

    Raises
    ------
    ToolError
        The C++ does not compile, or a test vector disagrees.
    """
    source = Path(model).resolve() if Path(model).is_file() else model
    target = Path(folder).resolve()
    generated = target / "generated"
    constants.generate(weights.load(source), generated)
    if missing := tools_missing():
        print(f"not here: the C simulation ({missing})")
        return generated
    from pynq_ee.sim import hardware_make

    if isinstance(source, Path):
        shutil.copyfile(source, target / "model.npz")
        source = "../model.npz"
    print(f"$ make -C hw csim GENERATED=.. BUILD=.. MODEL={Path(model).name}")
    completed = hardware_make.make(target, "csim", MODEL=str(source), CXXFLAGS=_QUICK_TO_COMPILE)
    print((completed.stdout + completed.stderr).strip())
    if completed.returncode:
        raise ToolError(f"`make csim` ended with {completed.returncode}; see what it printed above")
    return generated


def hardware() -> Path:
    """Where the circuit's C++ and Tcl lie: in an installed package, or in a checkout.

    Raises
    ------
    ToolError
        They are not there.
    """
    package = Path(weights.__file__).resolve().parents[1]
    for candidate in (package / "hw", package.parent / "hw"):
        if (candidate / "build.tcl").is_file():
            return candidate
    raise ToolError(f"no hw/build.tcl beside {package}; install the package again, or work in a checkout")


def build_commands(model: str | Path, board: str = DEFAULT_BOARD.name) -> None:
    """Print what to run on a machine with Vivado, to have a model's circuit on a board."""
    print(
        f"pynq-ee export {model} --generated hw/generated\n"
        f"vivado -mode batch -source hw/build.tcl -tclargs --board {board} --model {model}"
    )


def try_out(model: str | Path, device: Any, images: Any) -> None:
    """Classify images with a model on a device, and print what they are; or why its circuit cannot be used yet."""
    try:
        with EarlyExitInference(model, device=device) as network:
            prediction = network.classify(images)
    except (DeviceError, IdentityError, OverlayError, ToolError) as error:
        print(f"not yet: {error}")
        return
    print(f"{prediction.device}: labels {prediction.labels.tolist()}, at exits {prediction.exits.tolist()}")
