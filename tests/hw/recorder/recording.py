"""Run hw/build.tcl under tclsh, with Vivado and the HLS tool recorded.

As a program, write the recorded block designs that the simulated board is made of::

    python tests/hw/recorder/recording.py pynq_ee/sim/designs
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pynq_ee.generate import constants, verilog
from pynq_ee.network import spec as _spec
from pynq_ee.network import weights
from pynq_ee.network.spec import Spec
from pynq_ee.network.weights import LayerWeights, Model

RECORDER = Path(__file__).resolve().parent
REPOSITORY = RECORDER.parents[2]
MODEL_FILE = "model.npz"

#: Both widths of the streams that the kernel is built for.
PIXELS_PER_BEAT = (4, 8)


@dataclass
class Run:
    """What a run of build.tcl left."""

    status: int
    output: str
    errors: str
    design: dict[str, Any] | None

    @property
    def error(self) -> str:
        """The one line on stderr of a failed run."""
        lines = [line for line in self.errors.splitlines() if not line.startswith("warning: ")]
        assert self.status == 1 and len(lines) == 1 and lines[0].startswith("error: "), (self.status, self.errors)
        return lines[0]


def some_model(spec: Spec, seed: int = 0) -> Model:
    """A legal model with weights drawn at random."""
    random = np.random.default_rng(seed)
    fabric = {
        layer.name: LayerWeights(
            random.integers(-layer.weight_max, layer.weight_max + 1, layer.weight_shape).astype(np.int8),
            random.integers(-50, 50, layer.out_channels).astype(np.int32),
            np.full(layer.out_channels, 2, np.uint8),
        )
        for layer in spec.layers
    }
    remainder = {
        name: LayerWeights(
            np.zeros(_spec.REMAINDER_LAYERS[name].weight_shape, np.int8),
            np.zeros(_spec.REMAINDER_LAYERS[name].outputs, np.int32),
            np.zeros(_spec.REMAINDER_LAYERS[name].outputs, np.uint8),
        )
        for name in weights.remainder_layers(_spec.DEFAULT_NETWORK)
    }
    exits = _spec.network_exits(_spec.DEFAULT_NETWORK)
    return Model(_spec.DEFAULT_NETWORK, spec, fabric, 0, (0,) * exits, remainder, (0.5,) * (exits - 1))


@dataclass
class Checkout:
    """A copy of hw/ with the generated files of a model of its own, and the programs that a build finds.

    Parameters
    ----------
    root
        An empty folder.
    spec
        The fabric's numbers.
    tools
        Names by which the HLS tool is found: ``vitis_hls``, ``vitis-run``, both, or none.
    rtl
        Whether the model's Verilog is there, as ``make -C hw rtl`` writes it.
    """

    root: Path
    spec: Spec = _spec.DEFAULT
    tools: Sequence[str] = ("vitis_hls",)
    rtl: bool = False
    model: Model = field(init=False)

    def __post_init__(self) -> None:
        for part in ("build.tcl", "vivado", "hls", "rtl"):
            source = REPOSITORY / "hw" / part
            copy = shutil.copytree if source.is_dir() else shutil.copy
            (self.root / "hw").mkdir(parents=True, exist_ok=True)
            copy(source, self.root / "hw" / part)
        (self.root / "pynq_ee").symlink_to(REPOSITORY / "pynq_ee")
        self.model = some_model(self.spec)
        weights.save(self.model, self.root / MODEL_FILE)
        constants.generate(self.model, self.root / "hw" / "generated")
        if self.rtl:
            self.verilog.parent.mkdir(parents=True)
            self.verilog.write_text(verilog.generated(self.model))
        programs = self.root / "bin"
        programs.mkdir()
        for name in ("sh", "tclsh", "git", "sha256sum"):
            if found := shutil.which(name):
                (programs / name).symlink_to(found)
        for name in self.tools:
            (programs / name).write_text(f'#!/bin/sh\nexec tclsh {RECORDER / "hls_tool.tcl"} "$@"\n')
            (programs / name).chmod(0o755)

    @property
    def overlay(self) -> Path:
        return self.root / "overlay"

    @property
    def verilog(self) -> Path:
        return self.root / "hw" / "build" / "rtl-reference" / "first_exit_model.sv"

    def edit(self, file: str, old: str, new: str) -> None:
        """Replace the one occurrence of ``old`` in a file of the copy."""
        path = self.root / "hw" / file
        text = path.read_text()
        assert text.count(old) == 1, f"{old!r} occurs {text.count(old)} times in {file}"
        path.write_text(text.replace(old, new))

    def build(
        self,
        *arguments: str,
        vivado: Mapping[str, str] | None = None,
        hls: Mapping[str, str] | None = None,
        recorded: bool = True,
        compare: bool = True,
        python: str = sys.executable,
    ) -> Run:
        """Run build.tcl.

        Parameters
        ----------
        arguments
            The arguments of build.tcl.
        vivado, hls
            What the recorded tools answer otherwise than usual, see record.tcl and hls_tool.tcl.
        recorded
            Whether Vivado's commands exist; without them this is a plain tclsh.
        compare
            Whether hw/generated/ is compared with the weights, which takes most of a run's time.
        python
            The Python that compares.
        """
        design = self.root / "design.json"
        design.unlink(missing_ok=True)
        command = ["tclsh"]
        if recorded:
            command += [str(RECORDER / "record.tcl"), "--design", str(design)]
            for name, value in (vivado or {}).items():
                command += ["--set", name, value]
        checked = ["--model", str(self.root / MODEL_FILE)] if compare else ["--trust-generated"]
        result = subprocess.run(
            [*command, str(self.root / "hw" / "build.tcl"), *arguments, *checked],
            cwd=self.root,
            capture_output=True,
            text=True,
            timeout=120,
            env={
                "PATH": str(self.root / "bin"),
                "PYTHON": python,
                "RECORDED_HLS": " ".join(f"{name} {{{value}}}" for name, value in (hls or {}).items()),
            },
        )
        return Run(
            result.returncode,
            result.stdout,
            result.stderr,
            json.loads(design.read_text()) if design.exists() else None,
        )


def description(board: str, pixels_per_beat: int) -> dict[str, Any]:
    """The design description of a board, as pynq_ee/generate/hwh.py reads it."""
    with tempfile.TemporaryDirectory() as folder:
        run = Checkout(Path(folder), Spec(pixels_per_beat=pixels_per_beat)).build(
            "--board", board, "--stage", "design", compare=False
        )
    if run.status or run.design is None:
        raise RuntimeError(run.errors)
    run.design.pop("details")
    return run.design


def description_name(board: str, pixels_per_beat: int) -> str:
    """File name of a design description: the board, and the bits of a stream."""
    return f"{board}-{pixels_per_beat * _spec.PIXEL_BITS}bit.json"


def description_text(board: str, pixels_per_beat: int) -> str:
    """A design description as its file has it."""
    return json.dumps(description(board, pixels_per_beat), indent=1) + "\n"


def main(folder: str) -> None:
    for board in _spec.BOARDS:
        for pixels in PIXELS_PER_BEAT:
            path = Path(folder) / description_name(board, pixels)
            path.write_text(description_text(board, pixels))
            print(path)


if __name__ == "__main__":
    main(*sys.argv[1:])
