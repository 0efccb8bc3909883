"""The drawings of the documentation, made from the specification, the code and a shipped model.

python docs/pictures.py [FOLDER]     write the SVG files (default: docs/pictures)

A test draws them again and compares every word and number in them with the committed files.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import architecture
import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Rectangle

from pynq_ee import exits
from pynq_ee.driver.results import RECORD
from pynq_ee.network import spec, weights

# Text stays text, so that it can be searched and compared; the same drawing gives the same bytes.
matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "pynq_ee", "font.size": 9})

FABRIC, HOST, PLAIN, INK = "#cfe3f7", "#fde3c4", "#eeeeee", "#333333"


def canvas(width: float, height: float) -> tuple[Figure, Axes]:
    """An empty drawing, in inches."""
    figure = Figure((width, height), facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, width)
    axes.set_ylim(0, height)
    axes.axis("off")
    return figure, axes


def box(axes: Axes, x: float, y: float, width: float, height: float, text: str, colour: str = PLAIN) -> None:
    """A rounded box with text in its middle."""
    style = "round,pad=0,rounding_size=0.06"
    axes.add_patch(
        FancyBboxPatch((x, y), width, height, boxstyle=style, facecolor=colour, edgecolor=INK, linewidth=0.8)
    )
    axes.text(x + width / 2, y + height / 2, text, ha="center", va="center", fontsize=8, linespacing=1.4)


def arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], text: str = "") -> None:
    """An arrow, its text above the middle."""
    axes.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": INK, "linewidth": 0.9})
    if text:
        middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2 + 0.06)
        axes.text(*middle, text, ha="center", va="bottom", fontsize=7.5, linespacing=1.3)


def fields(axes: Axes, x: float, y: float, width: float, names: list[tuple[str, int, int]], bits: int) -> None:
    """A word of ``bits``, the lowest bit on the right; each field is a name, its lowest bit and its width."""
    unit = width / bits
    for name, low, size in names:
        left = x + width - (low + size) * unit
        axes.add_patch(Rectangle((left, y), size * unit, 0.32, facecolor=FABRIC, edgecolor=INK, linewidth=0.8))
        axes.text(left + size * unit / 2, y + 0.16, name, ha="center", va="center", fontsize=7.5)
        axes.text(left + 0.03, y + 0.36, str(low + size - 1), ha="left", va="bottom", fontsize=6)
        axes.text(left + size * unit - 0.03, y + 0.36, str(low), ha="right", va="bottom", fontsize=6)


def shape(channels: int, side: int) -> str:
    """Text of a stack of square feature maps."""
    return f"{channels} x {side} x {side}"


def network() -> Figure:
    """The layers, the exits, and where the cut between fabric and host is."""
    figure, axes = canvas(8.4, 4.4)
    trunk, branch, classifier = spec.DEFAULT.layers
    layers = spec.REMAINDER_LAYERS
    last = spec.network_exits(spec.DEFAULT_NETWORK)
    half, quarter = branch.side, branch.side // spec.POOL

    axes.add_patch(Rectangle((1.25, 0.45), 4.1, 3.8, facecolor="#f2f8fd", edgecolor="#6f9fce", linestyle="--"))
    axes.text(1.35, 4.03, "fabric: the first exit", fontsize=9, color="#2a5c8d")
    axes.text(5.55, 4.03, "host: the remainder and every decision", fontsize=9, color="#9a5b12")
    box(axes, 0.1, 2.1, 0.95, 0.7, f"image\n{spec.IMAGE_SIDE} x {spec.IMAGE_SIDE}\n{spec.PIXEL_BITS} bit")
    box(axes, 1.45, 2.0, 1.5, 0.9, f"trunk\nconv {trunk.kernel}x{trunk.kernel}, {trunk.in_channels} to "
        f"{trunk.out_channels}\npool {spec.POOL}, ReLU\n{trunk.weight_bits}-bit weights", FABRIC)  # fmt: skip
    box(axes, 1.45, 0.6, 1.5, 0.9, f"branch\nconv {branch.kernel}x{branch.kernel}, {branch.in_channels} to "
        f"{branch.out_channels}\npool {spec.POOL}, ReLU\n{branch.weight_bits}-bit weights", FABRIC)  # fmt: skip
    box(axes, 3.75, 0.6, 1.45, 0.9, f"fully connected\n{classifier.in_channels} to {classifier.out_channels}\n"
        f"{classifier.weight_bits}-bit weights", FABRIC)  # fmt: skip
    box(axes, 6.45, 0.6, 1.75, 0.9, "exit 1\nentropy of the softmax\nbelow threshold 1?", HOST)
    full = [f"{layers[name].inputs} to {layers[name].outputs}" for name in ("fc1", "fc2", "fc3")]
    convolution = layers["conv"]
    box(axes, 6.45, 1.95, 1.75, 1.0, f"conv {convolution.kernel}x{convolution.kernel}, {convolution.inputs} to "
        f"{convolution.outputs}, pool\n{full[0]}\n{full[1]}\n{full[2]}", HOST)  # fmt: skip
    box(axes, 6.45, 3.25, 1.75, 0.55, f"exit {last}, the last:\ntakes what is left", HOST)
    arrow(axes, (1.05, 2.45), (1.45, 2.45))
    arrow(axes, (2.2, 2.0), (2.2, 1.5))
    arrow(axes, (2.95, 1.05), (3.75, 1.05), f"{shape(branch.out_channels, quarter)}\n{spec.ACTIVATION_BITS} bit")
    arrow(axes, (5.2, 1.05), (6.45, 1.05), f"{spec.CLASSES} logits\n{spec.LOGIT_BITS} bit")
    arrow(axes, (2.95, 2.45), (6.45, 2.45))
    features = f"features {shape(trunk.out_channels, half)}, {spec.ACTIVATION_BITS} bit"
    axes.text(4.15, 2.51, features, ha="center", va="bottom", fontsize=7.5)
    arrow(axes, (7.33, 1.5), (7.33, 1.95))
    axes.text(7.4, 1.72, "no: go on", fontsize=7.5, va="center")
    arrow(axes, (7.33, 2.95), (7.33, 3.25), "")
    axes.text(7.4, 3.1, f"{spec.CLASSES} logits", fontsize=7.5, va="center")
    arrow(axes, (7.33, 0.6), (7.33, 0.22))
    axes.text(7.4, 0.3, "yes: leave", fontsize=7.5, va="center")
    return figure


def stream() -> Figure:
    """The bits of a beat and of a result record, and the order of a batch on both streams."""
    default = spec.DEFAULT
    figure, axes = canvas(8.4, 5.3)
    bits, left, width = default.beat_bits, 1.5, 6.7

    axes.text(0.1, 5.08, "a beat of the image stream: the leftmost pixel in the lowest bits", fontsize=9)
    pixels = [(f"pixel {n}", n * spec.PIXEL_BITS, spec.PIXEL_BITS) for n in range(default.pixels_per_beat)]
    fields(axes, left, 4.4, width, pixels, bits)
    axes.text(0.1, 4.56, f"{bits} bit", fontsize=8, va="center")

    axes.text(0.1, 4.05, f"the result record of an image: {spec.RESULT_BYTES} bytes, little-endian, "
              f"{default.result_beats} beats", fontsize=9)  # fmt: skip
    words = [(f"logit {n}", 8 * (RECORD.fields["logits"][1] + n * spec.LOGIT_BITS // 8), spec.LOGIT_BITS)
             for n in range(spec.CLASSES)]  # fmt: skip
    words += [(name, 8 * RECORD.fields[name][1], 8 * RECORD[name].itemsize) for name in ("sequence", "flags")]
    for beat in range(default.result_beats):
        inside = [(name, low - beat * bits, size) for name, low, size in words if low // bits == beat]
        y = 3.4 - 0.62 * beat
        fields(axes, left, y, width, inside, bits)
        axes.text(0.1, y + 0.16, f"beat {beat}", fontsize=8, va="center")

    axes.text(0.1, 1.75, "a batch of two images on the wire", fontsize=9)
    rows = (
        (1.2, "images in", [(f"image {n}: {default.image_beats} beats", 3.3) for n in (0, 1)]),
        (0.6, "results out", [(f"record 0: {default.result_beats}", 1.0), (f"record 1: {default.result_beats}", 1.0),
                              (f"features 1: {default.feature_beats}", 2.3)]),
    )  # fmt: skip
    for y, name, parts in rows:
        x = left
        for text, size in parts:
            axes.add_patch(Rectangle((x, y), size, 0.32, facecolor=PLAIN, edgecolor=INK, linewidth=0.8))
            axes.text(x + size / 2, y + 0.16, text, ha="center", va="center", fontsize=7.5)
            x += size
        axes.add_patch(Rectangle((x - 0.08, y), 0.08, 0.32, facecolor=INK))
        axes.text(0.1, y + 0.16, name, fontsize=8, va="center")
    note = (
        "black: the one beat with TLAST. Features follow the record of an image that may stay, as its flags say: "
        f"{default.output_bytes(True)} bytes, else {default.output_bytes(False)}."
    )
    axes.text(left, 0.2, note, fontsize=7.5)
    return figure


def exit_rule() -> Figure:
    """Two softmaxes, one sure and one not, and their entropies beside a threshold."""
    model = weights.load(weights.DEFAULT)
    threshold = model.thresholds[0]
    sure = np.array([0.0, 0, 1, 0, 0, 0, 0, 8, 0, 1])
    doubtful = np.array([0.0, 0, 0, 0, 3.0, 0, 0, 1.0, 0, 3.2])
    figure = Figure((8.4, 2.5), facecolor="white", layout="constrained")
    columns = figure.subplots(1, 3, width_ratios=(1, 1, 1.2))
    for axes, logits in zip(columns, (sure, doubtful)):
        nats = float(exits.entropy(logits))
        axes.bar(range(spec.CLASSES), exits.softmax(logits), color="#6f9fce")
        axes.set_ylim(0, 1)
        axes.set_xticks(range(spec.CLASSES))
        axes.set_xlabel("class")
        leaves = "leaves here" if bool(exits.leaves(np.array(nats), threshold)) else "goes on"
        axes.set_title(f"{nats:.2f} nats: {leaves}", fontsize=9)
    columns[0].set_ylabel("softmax")
    axes = columns[2]
    limit = float(np.log(spec.CLASSES))
    axes.barh([1, 0], [float(exits.entropy(sure)), float(exits.entropy(doubtful))], color="#6f9fce", height=0.5)
    axes.set_yticks([1, 0], ["sure", "in doubt"])
    axes.set_xlim(0, limit)
    axes.set_xlabel(f"entropy in nats, 0 to ln {spec.CLASSES} = {limit:.3f}")
    axes.axvline(threshold, color="#9a5b12")
    axes.set_title(f"threshold of {model.network}: {threshold:.3f}", fontsize=9)
    return figure


def way() -> Figure:
    """The way of an image from an array to a prediction, with the file that each step is in."""
    design = spec.DEFAULT
    figure, axes = canvas(8.4, 2.9)
    steps = (
        ("array, picture\nor file", "data/images.py", HOST),
        ("DMA buffer\n(a slot)", "driver/slots.py", HOST),
        (f"{design.image_beats} beats", "driver/dma.py", PLAIN),
        ("first exit", "hw/hls", FABRIC),
        (
            f"{spec.RESULT_BYTES} bytes of\nthe record, {design.feature_block_bytes} of\nfeatures if needed",
            "driver/results.py",
            PLAIN,
        ),
        ("entropy,\nthreshold", "exits/rule.py", HOST),
    )
    width, gap = 1.1, 0.3
    for number, (text, file, colour) in enumerate(steps):
        x = 0.1 + number * (width + gap)
        box(axes, x, 1.75, width, 0.7, text, colour)
        axes.text(x + width / 2, 2.53, file, ha="center", fontsize=7.5, family="monospace")
        if number:
            arrow(axes, (x - gap, 2.1), (x, 2.1))
    box(axes, 7.0, 0.35, 1.3, 0.6, "Prediction", HOST)
    axes.text(7.65, 0.15, "prediction.py", ha="center", fontsize=7.5, family="monospace")
    box(axes, 4.3, 0.35, 1.4, 0.6, "software exits", HOST)
    axes.text(5.0, 0.15, "remainder/", ha="center", fontsize=7.5, family="monospace")
    arrow(axes, (7.65, 1.75), (7.65, 0.95))
    axes.text(7.72, 1.35, "below", fontsize=7.5, va="center")
    arrow(axes, (7.1, 1.75), (5.4, 0.95))
    axes.text(6.3, 1.47, "not below", fontsize=7.5, va="center", ha="right")
    arrow(axes, (5.7, 0.65), (7.0, 0.65))
    return figure


def house() -> Figure:
    """The rooms of the package on their floors, and those that stand beside them."""
    content = architecture.read()
    floors, beside = content["floors"], list(content["beside"])
    in_a_row, width, height = 6, 1.12, 0.5
    rows = [[parts[start : start + in_a_row] for start in range(0, len(parts), in_a_row)] for parts in floors]
    figure, axes = canvas(8.6, height * sum(map(len, rows)) + 0.12 * len(floors) + 0.5)
    y = 0.4
    for number, floor in enumerate(rows):
        tall = height * len(floor) + 0.12
        shade = "white" if number % 2 else "#f3f3f3"
        axes.add_patch(Rectangle((0.45, y), in_a_row * width + 0.1, tall, facecolor=shade, edgecolor="none"))
        axes.text(0.25, y + tall / 2, str(number), ha="center", va="center", fontsize=9)
        for row, parts in enumerate(reversed(floor)):
            for place, part in enumerate(parts):
                box(axes, 0.5 + place * width, y + 0.1 + row * height, width - 0.07, height - 0.08, "", HOST)
                centre = (0.5 + place * width + (width - 0.07) / 2, y + 0.06 + (row + 0.5) * height)
                axes.text(*centre, part, ha="center", va="center", fontsize=8 if len(part) < 14 else 6)
        y += tall
    each = (y - 0.4) / len(beside)
    for place, part in enumerate(beside):
        box(axes, 7.4, 0.5 + each * place, 1.1, each - 0.2, part, FABRIC)
    note = "Imports go down or stay on their floor. What is on the right stands beside the house."
    axes.text(0.5, 0.15, note, fontsize=8)
    return figure


PICTURES: dict[str, Callable[[], Figure]] = {
    "network": network,
    "stream": stream,
    "exit-rule": exit_rule,
    "way": way,
    "architecture": house,
}


def draw(folder: Path) -> list[Path]:
    """Write every picture into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}.svg" for name in PICTURES]
    for path, picture in zip(paths, PICTURES.values()):
        picture().savefig(path, metadata={"Date": None, "Creator": None})
    return paths


if __name__ == "__main__":
    draw(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent / "pictures")
