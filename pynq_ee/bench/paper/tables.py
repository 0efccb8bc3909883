"""The rows of a benchmark's record as the cells of tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pynq_ee.bench.paper import compare

Record = dict[str, Any]

#: The paper's speed-up of its table 3.
PAPER_SPEEDUP = 1.9

COMPARISON_HEADER = (
    "way",
    "engine",
    "batch",
    "threads",
    "accuracy",
    "left early",
    "us an image",
    "p99",
    "images/s",
    "uJ an image",
    "speed-up",
    "kind",
)
WAYS = {"without": "software, no early exit", "with": "software, early exit", "fabric": "first exit in fabric"}


def comparison_rows(tables: Record) -> list[list[str]]:
    """Every row there is: way, engine, batch and number of threads."""
    rows = []
    for row in tables["rows"]:
        software = compare.best(tables["rows"], "with", row["batch"], row["threads"])
        rows.append(
            [
                WAYS[row["way"]],
                _engine(row),
                str(row["batch"]),
                str(row["threads"]),
                _percent(row["accuracy"]),
                _percent(1 - row["shares"][-1]) if "shares" in row else "-",
                _micros(row["seconds_an_image"]),
                _micros(row["seconds_an_image_p99"]),
                _rate(row),
                _joules(row),
                _ratio(row, software),
                row["kind"],
            ]
        )
    return rows


def table_1(tables: Record) -> tuple[Sequence[str], list[list[str]]]:
    """The paper's table 1: the network without and with early exits, both in software, on each engine."""
    rows = []
    for early in (row for row in tables["rows"] if row["way"] == "with"):
        same = {name: early[name] for name in ("engine", "batch", "threads")}
        plain = next(row for row in tables["rows"] if row["way"] == "without" and same.items() <= row.items())
        rows.append(
            [
                _engine(early),
                str(early["batch"]),
                str(early["threads"]),
                f"{_percent(plain['accuracy'])}, {_percent(early['accuracy'])}",
                _percent(1 - early["shares"][-1]),
                f"{_micros(plain['seconds_an_image'])}, {_micros(early['seconds_an_image'])}",
                f"{plain['images_a_second']:,.0f}, {early['images_a_second']:,.0f}",
                _ratio(early, plain),
            ]
        )
    header = ("engine", "batch", "threads", "accuracy", "left early", "us an image", "images/s", "speed-up")
    return header, rows


def table_3(tables: Record) -> tuple[Sequence[str], list[list[str]]]:
    """The paper's table 3: the best all-software early-exit network, and the first exit in the fabric."""
    rows = []
    for batch, threads in sorted({(row["batch"], row["threads"]) for row in tables["rows"]}):
        software = compare.best(tables["rows"], "with", batch, threads)
        fabric = [row for row in tables["rows"] if row["way"] == "fabric" and row["batch"] == batch]
        for row in [software, *(each for each in fabric if each["threads"] == threads)]:
            if row is not None:
                rows.append(
                    [
                        str(batch),
                        str(threads),
                        WAYS[row["way"]],
                        _engine(row),
                        _percent(row["accuracy"]),
                        ", ".join(map(_percent, row["shares"])),
                        _micros(row["seconds_an_image"]),
                        _micros(row["seconds_an_image_p99"]),
                        _rate(row),
                        _joules(row),
                        _ratio(row, software),
                    ]
                )
    header = (
        "batch",
        "threads",
        "way",
        "engine",
        "accuracy",
        "left at each exit",
        "us an image",
        "p99",
        "images/s",
        "uJ an image",
        "speed-up",
    )
    return header, rows


SUMMARY_HEADER = ("batch", "way", "engine", "us an image", "images/s", "speed-up")


def summary(tables: Record, threads: int) -> list[list[str]]:
    """For each batch the fastest early-exit software, and the fastest way through the fabric of each stream width."""
    widths = sorted({row["pixels_per_beat"] for row in tables["rows"] if "pixels_per_beat" in row})
    rows = []
    for batch in sorted({row["batch"] for row in tables["rows"]}):
        software = compare.best(tables["rows"], "with", batch, threads)
        fabric = [compare.best(tables["rows"], "fabric", batch, threads, pixels_per_beat=each) for each in widths]
        for row in filter(None, [software, *fabric]):
            micros, rate = _micros(row["seconds_an_image"]), f"{row['images_a_second']:,.0f}"
            rows.append([str(batch), WAYS[row["way"]], _engine(row), micros, rate, _ratio(row, software)])
    return rows


def _engine(row: Record) -> str:
    width = f", {row['pixels_per_beat']} px" if "pixels_per_beat" in row else ""
    parts = f", {row['images_at_once']} at once" if row.get("images_at_once", row["batch"]) < row["batch"] else ""
    return f"{row['engine']}{width}{parts}"


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"


def _micros(seconds: float) -> str:
    return f"{1e6 * seconds:.2f}"


def _rate(row: Record) -> str:
    low, high = row["images_a_second_range"]
    return f"{row['images_a_second']:,.0f} ({low:,.0f} to {high:,.0f})"


def _joules(row: Record) -> str:
    joules = (row.get("energy") or {}).get("joules_an_image")
    return "unknown" if joules is None else f"{1e6 * joules:.1f}"


def _ratio(row: Record, other: Record | None) -> str:
    return f"{row['images_a_second'] / other['images_a_second']:.2f}" if other else "-"


def stages(tables: Record) -> tuple[Sequence[str], list[list[str]]]:
    rows = [
        [
            _engine(row),
            str(row["batch"]),
            str(row["threads"]),
            ", ".join(f"{name} {1e6 * seconds:.2f}" for name, seconds in row["stages"].items()),
        ]
        for row in tables["rows"]
        if "stages" in row
    ]
    return ("engine", "batch", "threads", "stages"), rows
