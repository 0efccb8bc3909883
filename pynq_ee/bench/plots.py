"""The figures, one function each, all drawn with matplotlib's Agg canvas.

Every figure says which device its numbers come from and whether they were measured or modelled.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pynq_ee.errors import InputError, ToolError
from pynq_ee.exits import rule
from pynq_ee.exits.calibration import Calibration, front
from pynq_ee.exits.scores import ENTROPY_MAX, Outcome, Scores, Sweep, outcome, sweep
from pynq_ee.files import check_way_out, write_atomically
from pynq_ee.trace import BESIDE, HOST, STAGES, Trace

#: Colours that stay apart for colour-blind eyes and in grey (Okabe and Ito): blue, vermilion, green, orange, purple.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7", "#56B4E9")

DOTS_PER_INCH = 150

#: Where the axes of thresholds begin, nats; 0 has no place on a logarithmic one.
LOWEST_THRESHOLD = 1e-4

#: Of what belongs to exit 1, 2, ..
_LINE_STYLES = ("-", "--", ":", "-.")


@contextmanager
def figure(
    path: str | os.PathLike[str],
    rows: int = 1,
    columns: int = 1,
    size: tuple[float, float] = (7.5, 4.5),
    **options: Any,
) -> Iterator[Any]:
    """Axes to draw on; the picture is written when the block ends.

    Yields
    ------
    One matplotlib ``Axes``, or an array of them.

    Raises
    ------
    ToolError
        matplotlib is not installed.
    InputError
        The path's suffix names no kind of picture that matplotlib writes.
    """
    kind = _kind(path)
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    drawn = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(drawn)
    yield drawn.subplots(rows, columns, **options)
    content = io.BytesIO()
    # Without the library's version in it, the same figures give the same bytes.
    drawn.savefig(content, format=kind, dpi=DOTS_PER_INCH, metadata={"Software": None} if kind == "png" else None)
    write_atomically(path, content.getvalue())


def check(path: str | os.PathLike[str]) -> None:
    """Find out, before the work begins, whether a picture could be drawn and written; errors as :func:`figure`.

    Raises
    ------
    OSError
        As :func:`pynq_ee.files.check_way_out`.
    """
    _kind(path)
    check_way_out(path)


def _kind(path: str | os.PathLike[str]) -> str:
    """The kind of picture that a path names."""
    try:
        import matplotlib.figure  # noqa: F401
        from matplotlib.backends.backend_agg import FigureCanvasAgg
    except ImportError as error:
        raise ToolError(f"a picture needs matplotlib ({error}): pip install 'pynq_ee[plot]'") from error
    kind = Path(path).suffix.lstrip(".").lower() or "png"
    if kind not in (kinds := FigureCanvasAgg.get_supported_filetypes()):
        raise InputError(f"a picture {path} cannot be drawn; its name must end in {', '.join(kinds)}")
    return kind


#: Digits of each kind that a trade-off shows.
_SHOWN = 8


def tradeoff(
    scores: Scores,
    thresholds: Sequence[float],
    path: str | os.PathLike[str],
    *,
    title: str = "",
    images: npt.NDArray[np.uint8] | None = None,
) -> None:
    """Accuracy and early-exit share against one threshold for all exits, with the thresholds in use.

    With the images, digits stand beside the curve: some that left early, some that went on, some that came out wrong.

    Parameters
    ----------
    scores
        Of the data set that is drawn.
    thresholds
        Nats, one for each exit but the last: the chosen point.
    path
        The picture to write.
    title
        Data set and device, above the picture.
    images
        uint8 (N, 28, 28), those that the scores are of.
    """
    beside = images is not None
    options: dict[str, Any] = {"columns": 2, "size": (13, 4.8)} if beside else {}
    with figure(path, **options) as axes:
        curve = axes[0] if beside else axes
        draw_tradeoff(curve, sweep(scores), thresholds, outcome(scores, tuple(thresholds)))
        curve.set_title(f"{title}\n{curve.get_title()}", fontsize=10)
        if images is not None:
            _draw_digits(axes[1], scores, thresholds, images)


def digits_of_each_kind(scores: Scores, thresholds: Sequence[float]) -> dict[str, list[tuple[int, str]]]:
    """Images that left early and right, that went on and came out right, and that came out wrong: row and caption."""
    exits = rule.exit_of(scores.entropy, rule.check_thresholds(thresholds, scores.exits))
    answers = scores.label[np.arange(len(exits)), exits - 1]
    right = answers == scores.truth
    kinds = {
        "left at exit 1": np.flatnonzero((exits == 1) & right),
        "went on": np.flatnonzero((exits > 1) & right),
        "wrong (true label in brackets)": np.flatnonzero(~right),
    }
    return {
        kind: [
            (int(row), f"{answers[row]} ({scores.truth[row]})" if not right[row] else f"{answers[row]}")
            for row in rows[np.linspace(0, len(rows) - 1, min(_SHOWN, len(rows))).astype(int)]
        ]
        for kind, rows in kinds.items()
    }


def _draw_digits(
    axes: Any,
    scores: Scores,
    thresholds: Sequence[float],
    images: npt.NDArray[np.uint8],
) -> None:
    """A row of digits for each kind, what the network says below each."""
    kinds = digits_of_each_kind(scores, thresholds)
    axes.set_axis_off()
    axes.set(xlim=(0, _SHOWN), ylim=(len(kinds) * 1.6, 0), aspect="equal")
    for line, (kind, chosen) in enumerate(kinds.items()):
        top = 1.6 * line
        axes.text(0, top + 0.2, kind if chosen else f"{kind}: none", fontsize=9)
        for place, (row, caption) in enumerate(chosen):
            place_of = (place + 0.1, place + 0.9, top + 1.1, top + 0.3)
            axes.imshow(images[row], cmap="gray_r", vmin=0, vmax=255, extent=place_of)
            colour = COLOURS[1] if "(" in caption else "black"
            axes.text(place + 0.5, top + 1.3, caption, ha="center", fontsize=8, color=colour)
    axes.set(xlim=(0, _SHOWN), ylim=(len(kinds) * 1.6, 0))  # imshow has moved them


def calibration(scores: Scores, chosen: Calibration, path: str | os.PathLike[str], *, title: str = "") -> Path:
    """A calibration: the trade-off, throughput (or cost) against the threshold, and the whole Pareto front.

    Parameters
    ----------
    scores
        Of the calibration set.
    chosen
        The calibration on them.
    path, title
        As in :func:`tradeoff`.
    """
    costs = chosen.costs
    rate = costs.unit == "seconds"
    label = f"images a second\n({costs.source})" if rate else f"mean cost of an image, {costs.unit}\n({costs.source})"

    def shown(cost: Any) -> Any:
        return 1 / np.maximum(cost, 1e-12) if rate else cost

    swept = sweep(scores)
    found = front(scores, costs)
    with figure(path, rows=3, size=(7.5, 11.5)) as (upper, middle, lower):
        draw_tradeoff(upper, swept, chosen.thresholds, chosen.outcome)
        upper.set_title(f"{title}\n{upper.get_title()}", fontsize=10)
        middle.plot(swept.thresholds, shown([costs.mean(shares) for shares in swept.shares]), color=COLOURS[2])
        middle.plot(_drawable(chosen.thresholds[0]), shown(chosen.mean_cost), "o", color=COLOURS[2], markersize=9)
        middle.set(xscale="log", xlabel="entropy threshold, nats (the same for every exit along the curve)")
        middle.set_ylabel(label)
        cost = np.maximum(found.cost, costs.overlapped)
        best = np.append(cost[1:] > cost[:-1], True)  # where the overlapped work is the slower one, only accuracy tells
        lower.plot(
            shown(cost[best]),
            100 * found.accuracy[best],
            ".-",
            color=COLOURS[0],
            label="Pareto front",
        )
        lower.plot(
            shown(chosen.mean_cost),
            100 * chosen.outcome.accuracy,
            "o",
            color=COLOURS[1],
            markersize=9,
            label=f"chosen, {chosen.mode}",
        )
        lower.axhline(
            100 * chosen.outcome.exit_accuracy[-1], color="grey", linestyle=":", linewidth=0.8, label="last exit alone"
        )
        lower.set(xlabel=label.replace("\n", " "), ylabel="accuracy, %")
        lower.legend(fontsize=9)
    return Path(path)


def draw_tradeoff(axes: Any, swept: Sweep, thresholds: Sequence[float], chosen: Outcome) -> None:
    exit_count = swept.shares.shape[1]
    early = axes.twinx()
    axes.set_zorder(early.get_zorder() + 1)  # the accuracy above the shares
    axes.patch.set_visible(False)
    for number in range(exit_count - 1):
        early.plot(
            swept.thresholds,
            100 * swept.shares[:, : number + 1].sum(1),
            color=COLOURS[1],
            linestyle=_LINE_STYLES[number % len(_LINE_STYLES)],
            label="left at exit 1" if number == 0 else f"left at exits 1 to {number + 1}",
        )
    early.plot(_drawable(thresholds[0]), 100 * chosen.early_share, "s", color=COLOURS[1], markersize=8, mec="white")
    axes.plot(swept.thresholds, 100 * swept.accuracy, color=COLOURS[0], label="accuracy of the system")
    for number, accuracy in enumerate(chosen.exit_accuracy, start=1):
        axes.axhline(100 * accuracy, color="grey", linewidth=0.8, linestyle=":")
        axes.annotate(
            f"exit {number} alone",
            (1.1e-4, 100 * accuracy),
            fontsize=8,
            color="dimgrey",
            va="bottom",
            xytext=(0, 2),
            textcoords="offset points",
        )
    axes.plot(_drawable(thresholds[0]), 100 * chosen.accuracy, "o", color=COLOURS[0], markersize=9, mec="white")
    for number, threshold in enumerate(thresholds, start=1):
        # Named in the legend: beside the lines, which may be close to each other, the curve falls.
        label = f"$T_{number}$ = {threshold:.3f} nats"
        style = _LINE_STYLES[(number - 1) % len(_LINE_STYLES)]
        axes.axvline(_drawable(threshold), color="black", linewidth=0.9, linestyle=style, label=label)
    axes.set_xscale("log")
    axes.set_xlabel("entropy threshold, nats (the same for every exit along the curves)")
    axes.set_ylabel("accuracy, %", color=COLOURS[0])
    early.set_ylabel("images that left early, %", color=COLOURS[1])
    early.set_ylim(0, 103)
    axes.legend(*_joined(axes, early), loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=3, fontsize=9)
    axes.set_title(
        f"measured on {chosen.images} images: {100 * chosen.accuracy:.2f} % right, "
        f"{100 * chosen.early_share:.2f} % left early"
    )


def _drawable(threshold: float) -> float:
    """A threshold's place on the logarithmic axis: 0 and infinity at its ends."""
    return float(np.clip(threshold, LOWEST_THRESHOLD, ENTROPY_MAX))


def _joined(*axes: Any) -> tuple[list[Any], list[Any]]:
    """Handles and labels of several axes for one legend."""
    pairs = [each.get_legend_handles_labels() for each in axes]
    return [handle for handles, _ in pairs for handle in handles], [text for _, texts in pairs for text in texts]


def gallery(images: npt.NDArray[np.uint8], prediction: Any, path: str | os.PathLike[str], *, columns: int = 12) -> Path:
    """The images that left with the least doubt, and below them those that the first exit would not let go.

    Parameters
    ----------
    images
        uint8 (N, 28, 28).
    prediction
        The :class:`~pynq_ee.prediction.Prediction` of them.
    columns
        Images a row.
    """
    order = np.argsort(prediction.entropy, kind="stable")
    early = [row for row in order if prediction.exits[row] == 1][:columns]
    late = [row for row in order[::-1] if prediction.exits[row] > 1][:columns]
    with figure(path, 2, columns, size=(columns, 2.8), squeeze=False) as axes:
        for line, rows in zip(axes, (early, late)):
            for place, axis in enumerate(line):
                axis.set_axis_off()
                if place < len(rows):
                    row = rows[place]
                    axis.imshow(images[row], cmap="gray_r", vmin=0, vmax=255)
                    axis.set_title(f"{prediction.labels[row]}, exit {prediction.exits[row]}", fontsize=8)
        axes[0][0].figure.suptitle(f"computed on {prediction.device}", fontsize=9)
    return Path(path)


def trace(recording: Trace, path: str | os.PathLike[str], *, title: str = "", modelled: float | None = None) -> None:
    """The stages over time, a lane for the fabric, one for the host, and one for the thread beside it if there was one.

    Parameters
    ----------
    recording
        What was recorded; not empty.
    path, title
        As in :func:`tradeoff`.
    modelled
        Seconds that the cycle model gives a batch of a simulated fabric, drawn darker than what its simulation takes.
    """
    start = min(span.begin for span in recording.spans)
    colours = dict(zip(STAGES, (COLOURS[0], "#DDDDDD", COLOURS[5], COLOURS[3], COLOURS[1])))
    with figure(path, size=(11, 2.8)) as axes:
        extents = [(1e3 * (span.begin - start), 1e3 * (span.end - span.begin)) for span in recording.fabric]
        if modelled is None:
            axes.broken_barh(extents, (1.1, 0.8), color=COLOURS[2], edgecolor="white", linewidth=0.5)
        else:
            least = [(begin, min(1e3 * modelled, length)) for begin, length in extents]
            axes.broken_barh(least, (1.1, 0.8), color=COLOURS[2], label="fabric: modelled", zorder=2, linewidth=0)
            axes.broken_barh(extents, (1.1, 0.8), color="#99D8C7", label="its simulation beyond", linewidth=0)
        for span, (begin, length) in zip(recording.fabric, extents):
            axes.text(begin + length / 2, 1.5, str(span.batch), ha="center", va="center", fontsize=7)
        beside = bool(recording.lane(BESIDE))
        for lane, bottom in ((HOST, 0.1), (BESIDE, -0.9))[: 1 + beside]:
            for stage, colour in colours.items():
                extents = [
                    (1e3 * (span.begin - start), 1e3 * (span.end - span.begin))
                    for span in recording.lane(lane)
                    if span.stage == stage
                ]
                label = "waiting for the fabric, and starting it" if stage == "fabric" else stage
                axes.broken_barh(extents, (bottom, 0.8), color=colour, label=label if lane == HOST else None)
        lanes = {-0.5: "beside", 0.5: "host", 1.5: "fabric"} if beside else {0.5: "host", 1.5: "fabric"}
        axes.set(yticks=list(lanes), yticklabels=list(lanes.values()), xlabel="milliseconds", ylim=(-float(beside), 2))
        axes.set_title(f"{title}\nfabric busy {100 * recording.busy_share():.1f} % of the time", fontsize=10)
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.25), ncols=7, fontsize=8)
