"""What the network makes of one image, exit by exit, and a desk to draw such images on."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from IPython.display import HTML
from PIL import Image

from pynq_ee import exits
from pynq_ee.bench import plots
from pynq_ee.data.images import to_images
from pynq_ee.errors import PynqEEError
from pynq_ee.exits.scores import ENTROPY_MAX
from pynq_ee.inference import EarlyExitInference
from pynq_ee.network import fabric
from pynq_ee.network.spec import ACTIVATION_MAX

#: Screen pixels of one of the pictures in the strip, a multiple of 28 and 14, and between two of them.
_PICTURE, _GAP = 112, 8

_NO_WIDGETS = """The pad needs the package <i>ipywidgets</i>, which is not here: <code>python3 -m pip install
ipywidgets</code>, then restart the kernel and reload the page. Without it, draw in another program, black on white, and
look at the file:<br>
<code>image = to_images("digit.png", fit=True)[0]</code>, with <code>to_images</code> of
<code>pynq_ee.data.images</code><br>
<code>Image(draw.picture(draw.look(network, image), "mine.png"))</code>"""


@dataclass(frozen=True)
class Look:
    """One image on its way through the network.

    Attributes
    ----------
    image
        uint8 (28, 28), as the fabric got it.
    features
        uint8 (6, 14, 14), 0 to 15: the trunk's features, as the fabric returned them.
    labels
        int64 (exits,), what each exit says.
    entropy
        float64 (exits,), nats.
    thresholds
        Nats, of each exit but the last.
    device
        Name of the device.
    """

    image: npt.NDArray[np.uint8]
    features: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    entropy: npt.NDArray[np.float64]
    thresholds: tuple[float, ...]
    device: str

    @property
    def exit(self) -> int:
        """The exit that takes the image, counted from 1."""
        return int(exits.exit_of(self.entropy[None], self.thresholds)[0])

    @property
    def label(self) -> int:
        """What that exit says."""
        return int(self.labels[self.exit - 1])


def look(network: EarlyExitInference, image: npt.NDArray[np.uint8]) -> Look:
    """Send one image through the fabric and through every exit.

    Parameters
    ----------
    network
        Open, with ``features=True``, its default.
    image
        uint8 (28, 28).
    """
    batch = to_images(image)
    logits = network.all_exits(batch)[0]
    slot = network.accelerator.fill(batch)
    network.accelerator.start(slot)
    returned = network.accelerator.finish(slot)
    features = (
        fabric.unpack_features(returned.features(np.array([0]), network.model.spec), network.model)
        if returned.has_features().all()
        else fabric.trunk(batch, network.model)
    )
    return Look(
        batch[0],
        features[0],
        logits.argmax(-1).astype(np.int64),
        exits.entropy(logits),
        network.threshold,
        str(network.device.name),
    )


def most_doubtful(network: EarlyExitInference, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The image (28, 28), of some, on which the first exit's entropy is the largest."""
    doubtful: npt.NDArray[np.uint8] = images[exits.entropy(network.all_exits(images)[:, 0]).argmax()]
    return doubtful


def picture(seen: Look, path: str | Path) -> Path:
    """Draw a look: the image, the six feature maps, and an entropy bar for each exit with its threshold."""
    with plots.figure(
        path,
        columns=2 + len(seen.features),
        size=(11, 2.1),
        gridspec_kw={"width_ratios": [1.4, *[1] * len(seen.features), 2.2]},
    ) as row:
        names = ["image", *(f"feature {number}" for number in range(len(seen.features)))]
        for axes, name, pixels in zip(row, names, [seen.image, *seen.features]):
            axes.imshow(pixels, cmap="gray", vmin=0, vmax=255 if name == "image" else ACTIVATION_MAX)
            axes.set_title(name, fontsize=8)
            axes.set_axis_off()
        bars = row[-1]
        places = np.arange(len(seen.entropy))
        colours = [plots.COLOURS[2] if place + 1 == seen.exit else "silver" for place in places]
        bars.barh(places, seen.entropy, color=colours, edgecolor=colours, linewidth=2)  # so that a bar of 0 is seen too
        for place, threshold in enumerate(seen.thresholds):
            bars.plot([threshold] * 2, [place - 0.4, place + 0.4], color="black")
        named = [f"exit {place + 1}: {label}, {seen.entropy[place]:.3f}" for place, label in enumerate(seen.labels)]
        bars.set_yticks(places, named, fontsize=8)
        bars.invert_yaxis()
        bars.set_xlim(-0.02 * ENTROPY_MAX, ENTROPY_MAX)
        bars.tick_params(axis="x", labelsize=7)
        bars.set_xlabel("entropy, nats\nblack: threshold; green: leaves here", fontsize=8)
        bars.figure.suptitle(f"{seen.label}, at exit {seen.exit} (computed on {seen.device})", fontsize=9)
    return Path(path)


def desk(network: EarlyExitInference) -> Any:
    """A pad to draw on; beside it, at every stroke, the answer, an entropy bar for each exit, and the features.

    Returns
    -------
    A widget; without ipywidgets, a page that says what to do instead.
    """
    try:
        import ipywidgets
    except ImportError:
        return HTML(_NO_WIDGETS)
    answer = ipywidgets.HTML("Draw a digit.")
    strip = ipywidgets.Image(format="png", layout=ipywidgets.Layout(visibility="hidden", max_width="100%"))

    def on_ink(ink: npt.NDArray[np.uint8]) -> None:
        strip.layout.visibility = "visible" if ink.any() else "hidden"
        if not ink.any():
            answer.value = "Draw a digit."
            return
        try:
            seen = look(network, to_images(ink, fit=True)[0])
        except PynqEEError as error:
            answer.value = f"<b>{type(error).__name__}</b>: {error}"
            return
        answer.value = bars(seen)
        strip.value = features_png(seen)

    return ipywidgets.VBox([ipywidgets.HBox([_pad(on_ink), answer]), strip])


def _pad(on_ink: Callable[[npt.NDArray[np.uint8]], None]) -> Any:
    """The pad that this installation can have; a stock PYNQ image has no anywidget."""
    try:
        from pynq_ee.notebook.pad import Pad
    except ImportError:
        from pynq_ee.notebook.html_pad import HtmlPad

        return HtmlPad(on_ink)
    return Pad(on_ink)


def bars(seen: Look) -> str:
    """The answer and an entropy bar for each exit, as HTML. A black line marks each threshold."""
    rows = []
    for number, (label, nats) in enumerate(zip(seen.labels, seen.entropy), start=1):
        threshold = seen.thresholds[number - 1] if number <= len(seen.thresholds) else None
        mark = "" if threshold is None else _mark(threshold)
        colour = plots.COLOURS[2] if number == seen.exit else "#bbbbbb"
        rows.append(
            f'<div class="pynq-ee-exit" data-exit="{number}" data-label="{label}" data-nats="{nats:.4f}">'
            f"exit {number}: {label}, {nats:.3f} nats{' &larr; leaves here' if number == seen.exit else ''}"
            f'<div style="position:relative;width:320px;height:16px;background:#eeeeee">'
            f'<div style="width:{_percent(nats)};min-width:2px;height:100%;background:{colour}"></div>'
            f"{mark}</div></div>"
        )
    return (
        f'<div style="margin-left:1em"><div class="pynq-ee-label" style="font-size:56px;line-height:1.2">{seen.label}'
        f"</div>{''.join(rows)}<small>entropy from 0 to {ENTROPY_MAX:.2f} nats, computed on {seen.device}</small></div>"
    )


def _percent(nats: float) -> str:
    return f"{100 * min(nats / ENTROPY_MAX, 1):.1f}%"


def _mark(threshold: float) -> str:
    return (
        f'<div style="position:absolute;top:0;left:{_percent(threshold)};width:2px;height:100%;background:black"></div>'
    )


def features_png(seen: Look) -> bytes:
    """The image and the six feature maps side by side, as a PNG."""
    pictures = [seen.image, *(seen.features * (255 // ACTIVATION_MAX))]
    strip = Image.new("L", (len(pictures) * (_PICTURE + _GAP) - _GAP, _PICTURE), 255)
    for number, pixels in enumerate(pictures):
        large = np.kron(pixels, np.ones((_PICTURE // len(pixels),) * 2, np.uint8))
        strip.paste(Image.fromarray(large), (number * (_PICTURE + _GAP), 0))
    content = io.BytesIO()
    strip.save(content, "png")
    return content.getvalue()
