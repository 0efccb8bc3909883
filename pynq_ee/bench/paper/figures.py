"""The figures of the report, each drawn from a network's part of a benchmark's record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pynq_ee.bench import plots
from pynq_ee.bench.paper import compare
from pynq_ee.bench.paper.tables import PAPER_SPEEDUP
from pynq_ee.exits.scores import Outcome, Sweep


def tradeoff(measured: dict[str, Any], path: Path, title: str) -> Path:
    """Accuracy and early-exit share against the threshold, from a network's part of a benchmark's record."""
    swept = {name: np.array(values) for name, values in measured["sweep"].items()}
    chosen = measured["evaluation"]["calibrated"]
    with plots.figure(path) as axes:
        plots.draw_tradeoff(
            axes,
            Sweep(swept["thresholds"], swept["accuracy"], swept["shares"]),
            chosen["thresholds"],
            Outcome(**{name: chosen[name] for name in ("accuracy", "exit_accuracy", "shares", "images")}),
        )
        # The suite computes them so: with the circuit's arithmetic, but on no board.
        axes.set_title(f"{title}, NumPy model of the circuit, no device\n{axes.get_title()}", fontsize=10)
    return path


def governor(measured: dict[str, Any], path: Path, title: str) -> Path:
    """Time an image, threshold and early-exit share over a governed stream whose difficulty changes."""
    trace = measured["governor"]
    batches = np.arange(len(trace["seconds"]))
    with plots.figure(path, rows=3, size=(7.5, 7.5), sharex=True) as (time, threshold, share):
        time.plot(
            batches,
            1e6 * np.array(trace["ungoverned_seconds"]),
            color="grey",
            linewidth=0.8,
            label="without the governor",
        )
        time.plot(batches, 1e6 * np.array(trace["seconds"]), color=plots.COLOURS[0], linewidth=1, label="governed")
        time.axhline(1e6 * trace["target_seconds"], color="black", linestyle="--", linewidth=1, label="target")
        time.set_ylabel("us an image")
        time.legend(fontsize=8, loc="upper right")
        threshold.semilogy(batches, trace["threshold"], color=plots.COLOURS[1])
        threshold.axhline(trace["cap"][0], color="black", linestyle="--", linewidth=1, label="cap")
        threshold.set_ylabel("$T_1$, nats")
        threshold.legend(fontsize=8, loc="lower right")
        share.plot(batches, 100 * np.array(trace["early_share"]), color=plots.COLOURS[2])
        share.set(ylabel="left early, %", xlabel=f"batch of {trace['images_a_batch']} images")
        for spell in trace["spells"]:
            for axes in (time, threshold, share):
                axes.axvline(spell["batch"], color="black", linewidth=0.6)
            settled = spell["settled_after"]
            said = "not held" if settled is None else f"held after {settled}"
            share.annotate(
                f"{spell['name']}\n{said}",
                (spell["batch"], 0.05),
                xycoords=("data", "axes fraction"),
                fontsize=7,
                xytext=(3, 0),
                textcoords="offset points",
            )
        time.set_title(f"{title}: {trace['device']}, time by the measured cost of each exit", fontsize=10)
    return path


def break_even(measured: dict[str, Any], path: Path, title: str) -> Path:
    """Speed-up over the best software against the early-exit share, for several costs of the remainder."""
    rows = measured["tables"]["rows"]
    batch = max(row["batch"] for row in rows)
    software = compare.best(rows, "with", batch, 1)
    shares = np.linspace(0, 1, 101)
    widths = sorted({row["pixels_per_beat"] for row in rows if "pixels_per_beat" in row})
    with plots.figure(path, columns=max(len(widths), 1), size=(10, 4.5), sharey=True, squeeze=False) as grid:
        for axes, pixels in zip(grid[0], widths):
            row = compare.best(rows, "fabric", batch, 1, pixels_per_beat=pixels)
            if row is None or software is None:
                continue
            for factor, colour in zip((1, 4, 16, 64), plots.COLOURS):
                axes.plot(
                    100 * shares,
                    compare.break_even(row, software, factor, shares),
                    color=colour,
                    label=f"remainder's cost x {factor}",
                )
            axes.plot(
                100 * row["shares"][0],
                row["images_a_second"] / software["images_a_second"],
                "o",
                color="black",
                label="this network, measured and modelled",
            )
            axes.axhline(1, color="black", linewidth=0.8)
            axes.axhline(PAPER_SPEEDUP, color="grey", linestyle="--", label=f"paper: {PAPER_SPEEDUP}")
            axes.set(yscale="log", xlabel="left at the first exit, %")
            axes.set_title(f"{pixels} pixels a beat", fontsize=10)
        grid[0][0].set_ylabel(f"speed-up over {software['engine'] if software else 'software'}")
        grid[0][0].legend(fontsize=8)
        device = measured["governor"]["device"].split(" (")[0]  # without the kernel, of which this rate is no matter
        grid[0][0].figure.suptitle(
            f"{title}, {device}, batch {batch}, one thread (modelled from the measured stages)", fontsize=10
        )
    return path
