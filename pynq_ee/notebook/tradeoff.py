"""The trade-off between accuracy, throughput and energy, with a slider for the threshold."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import ipywidgets
from IPython.display import HTML

from pynq_ee.bench import energy, plots
from pynq_ee.data.datasets import Digits
from pynq_ee.errors import ToolError
from pynq_ee.exits import costs
from pynq_ee.exits.calibration import Calibration
from pynq_ee.exits.costs import Costs
from pynq_ee.exits.scores import ENTROPY_MAX, Scores, outcome, sweep
from pynq_ee.inference import EarlyExitInference
from pynq_ee.notebook.pages import table

#: The slider's first value, nats, and its steps over the whole range.
_LOWEST, _STEPS = plots.LOWEST_THRESHOLD, 200

#: Screen pixels of the chart's width, and the inches that they show, with those of each curve's height. A line stands
#: over the chart, in a box that takes no room, and takes no clicks.
_WIDTH = 640
_INCHES, _INCHES_A_CURVE = 7.2, 2.0
_OVER = "position:relative;height:0"
_LINE = "position:absolute;width:2px;background:black;pointer-events:none;z-index:1"


class Frame(NamedTuple):
    """Where the axes of a chart lie on the screen, in pixels from its upper left corner."""

    left: float
    right: float
    top: float
    bottom: float


@dataclass(frozen=True)
class Measured:
    """What every exit says of some digits, and what each exit costs.

    ``joules`` is None where no constant is known for this machine; ``missing`` then says so.
    """

    scores: Scores
    seconds: Costs
    joules: Costs | None
    missing: str
    source: str
    device: str


def measure(network: EarlyExitInference, digits: Digits) -> Measured:
    """Let every image reach every exit, and measure the time of each. Energy is modelled from it."""
    scores = Scores.of(network.all_exits(digits.images), digits.labels)
    seconds = costs.measure(network, digits.images)
    joules, missing = None, ""
    try:
        joules = energy.joules(seconds, energy.model_for(network.board))
    except ToolError as error:
        missing = str(error)
    return Measured(scores, seconds, joules, missing, digits.source, str(network.device.name))


def figures(measured: Measured, thresholds: tuple[float, ...]) -> list[tuple[str, str, str]]:
    """What, how much, and where it comes from, of a threshold vector."""
    result = outcome(measured.scores, thresholds)
    judged = f"measured on {result.images} images, {measured.source}, on {measured.device}"
    seconds = measured.seconds.mean(result.shares)
    rows = [
        ("accuracy", f"{100 * result.accuracy:.2f} %", judged),
        ("left early", f"{100 * result.early_share:.2f} %", judged),
        ("throughput", f"{1 / seconds:,.0f} images a second", measured.seconds.source),
    ]
    if measured.joules is None:
        return [*rows, ("energy", "unknown", measured.missing)]
    mean = measured.joules.mean(result.shares)
    return [*rows, ("energy", f"{1e6 * mean:.3g} uJ an image", measured.joules.source)]


def curves(measured: Measured, path: str | Path) -> Frame:
    """Accuracy, throughput and energy against one threshold for all exits, to be marked with a line by the caller.

    Parameters
    ----------
    measured
        What is drawn; without joules there is no third curve.
    path
        The picture to write.

    Returns
    -------
    Where the thresholds from ``LOWEST_THRESHOLD`` to the largest entropy are, in a chart that is ``_WIDTH`` wide.
    """
    scores, seconds, joules = measured.scores, measured.seconds, measured.joules
    swept = sweep(scores)
    drawn = [
        (100 * swept.accuracy, f"accuracy, %\n(measured on {len(scores)})", ""),
        ([1 / max(seconds.mean(shares), 1e-12) for shares in swept.shares], "images a second", seconds.source),
    ]
    if joules is not None:
        drawn.append(([1e6 * joules.mean(shares) for shares in swept.shares], "uJ an image", "modelled"))
    with plots.figure(path, rows=len(drawn), size=(_INCHES, _INCHES_A_CURVE * len(drawn)), sharex=True) as grid:
        for axes, (values, label, source), colour in zip(grid, drawn, plots.COLOURS):
            axes.plot(swept.thresholds, values, color=colour)
            axes.set(xscale="log", xlim=(plots.LOWEST_THRESHOLD, ENTROPY_MAX))
            axes.set_ylabel(f"{label}\n({source})" if source else label, fontsize=8)
            axes.grid(alpha=0.3)
        grid[-1].set_xlabel("entropy threshold, nats (the same for every exit)")
        grid[0].set_title(f"{measured.source}, {measured.device}", fontsize=9)
        grid[-1].figure.align_ylabels()
        grid[-1].figure.canvas.draw()  # which places the axes
        first, last = grid[0].get_position(), grid[-1].get_position()
    height = _WIDTH * _INCHES_A_CURVE * len(drawn) / _INCHES
    return Frame(_WIDTH * last.x0, _WIDTH * last.x1, height * (1 - first.y1), height * (1 - last.y0))


def slider(network: EarlyExitInference, measured: Measured) -> ipywidgets.Widget:
    """The curves, a slider, and the figures at its threshold, which the network uses from then on.

    The curves are drawn once; only a line moves over them, so that a board's processor keeps up.
    """
    with TemporaryDirectory() as folder:
        path = Path(folder) / "curves.png"
        frame = curves(measured, path)
        picture = path.read_bytes()
    chart = ipywidgets.Image(value=picture, format="png", layout=ipywidgets.Layout(width=f"{_WIDTH}px", margin="0"))
    line = ipywidgets.HTML(layout=ipywidgets.Layout(height="0px", margin="0", overflow="visible"))
    readout = ipywidgets.HTML()
    knob = ipywidgets.FloatLogSlider(
        value=min(max(network.threshold[0], _LOWEST), ENTROPY_MAX),
        min=math.log10(_LOWEST),
        max=math.log10(ENTROPY_MAX),
        step=(math.log10(ENTROPY_MAX) - math.log10(_LOWEST)) / _STEPS,
        readout_format=".4f",
        description="nats",
        layout=ipywidgets.Layout(width=f"{_WIDTH}px"),
    )

    def show(threshold: float) -> None:
        network.threshold = threshold
        share = math.log(threshold / _LOWEST) / math.log(ENTROPY_MAX / _LOWEST)
        place = f"left:{frame.left + share * (frame.right - frame.left):.1f}px;top:{frame.top:.1f}px"
        line.value = (
            f'<div style="{_OVER}"><div class="pynq-ee-threshold" '
            f'style="{_LINE};{place};height:{frame.bottom - frame.top:.1f}px"></div></div>'
        )
        readout.value = _figures_html(figures(measured, network.threshold), threshold)

    show(knob.value)
    knob.observe(lambda change: show(change["new"]), "value")
    return ipywidgets.VBox([ipywidgets.VBox([line, chart]), knob, readout])


def _figures_html(rows: list[tuple[str, str, str]], threshold: float) -> str:
    body = "".join(
        f'<tr class="pynq-ee-figure" data-name="{name}"><td>{name}</td>'
        f'<td style="white-space:nowrap"><b>{value}</b></td><td><small>{source}</small></td></tr>'
        for name, value, source in rows
    )
    return f'<table class="pynq-ee-figures" data-threshold="{threshold:.6f}">{body}</table>'


def calibration_table(found: Calibration, measured: Measured) -> HTML:
    """A calibration's thresholds and figures."""
    ((name, value),) = found.constraint.items()
    nats = ", ".join(f"{threshold:.3f}" for threshold in found.thresholds)
    details: list[tuple[Any, ...]] = [
        ("constraint", f"{name} = {value:g}, {found.mode}", ""),
        ("threshold", f"{nats} nats", "chosen on the images below"),
        ("loss against the last exit", f"{found.outcome.loss_points:.3f} points", "measured, as the accuracy is"),
    ]
    return table(details + figures(measured, found.thresholds), ("", "", "source"))
