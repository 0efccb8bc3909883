"""``docs/results.md`` and its pictures: nothing in them that is not in the record."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pynq_ee.bench import bringup
from pynq_ee.bench.board import modelled
from pynq_ee.bench.paper import compare, suite
from pynq_ee.bench.paper import tables as _tables
from pynq_ee.errors import DataError, InputError
from pynq_ee.files import read_json, write_atomically

Record = dict[str, Any]


def read(path: Path) -> Record:
    """Read a record.

    Raises
    ------
    DataError
        No such file, no JSON, or another format.
    """
    try:
        record: Record = read_json(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read ({error}); `pynq-ee bench --output {path}` writes one") from error
    found = record.get("format") if isinstance(record, dict) else None
    if found != suite.FORMAT:
        raise DataError(f"{path} has format {found!r}; this version reads {suite.FORMAT}. Run pynq-ee bench again")
    return record


def write(record: Record, output: Path, pictures: bool = True, boards: Sequence[Record] = ()) -> list[Path]:
    """Write the report and its pictures, and return their paths; ``boards`` are records of `pynq-ee bringup`."""
    written = []
    folder = output.with_suffix("")
    if pictures:
        from pynq_ee.bench.paper import figures

        for network, measured in record["networks"].items():
            for name, draw in (
                ("trade-off", figures.tradeoff),
                ("governor", figures.governor),
                ("break-even", figures.break_even),
            ):
                written.append(draw(measured, folder / f"{network}-{name}.png", network))
    text = markdown(record, folder.name if pictures else None, boards)
    return [write_atomically(output, text.encode()), *written]


def markdown(record: Record, pictures: str | None, boards: Sequence[Record] = ()) -> str:
    """The report's text; ``pictures`` is the folder beside it that holds them."""
    machine = record["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    parts = [
        "# Results",
        "Written by `pynq-ee report` from the record of `pynq-ee bench`; do not edit.",
        f"Measured on {machine['processor']}, {machine['cores']} cores, {machine['system']}, Python "
        f"{machine['python']}; {versions}; revision {machine['git_revision'] or 'unknown'}; {machine['time']}; load "
        f"average at the start {machine['load_average'][0]:.2f}. Test images: {record['data']['test']}; thresholds "
        f"from: {record['data']['calibration']}.",
        _fabric_sentence(record),
        "## In short",
        *_summary(record),
        "## Accuracy",
        _markdown_table(*_accuracy(record)),
    ]
    for network, measured in record["networks"].items():
        parts += _network(network, measured, pictures)
    for board in boards:
        parts += [
            f"## Tried on {board.get('board', 'a board')}: {board.get('model', 'no network')}",
            f"From `pynq-ee bringup`: {bringup.measured_on(board)}.",
            _board_sentence(board),
            *_board_rates(board),
        ]
    parts += ["## Energy", _energy_sentence(record)]
    return "\n\n".join(parts) + "\n"


def _fabric_sentence(record: Record) -> str:
    if record["fabric"]["measured"]:
        return (
            "The rows with the first exit in the fabric are *measured* on the board, wall time of the driver's calls."
        )
    return (
        "In the rows with the first exit in the fabric, the host's whole work is *measured* with the real driver on a "
        "simulated board whose results are known beforehand; the fabric's time is *modelled*: clocks by the cycle "
        f"model at {record['fabric']['clock_mhz']} MHz, overlapped as the driver overlaps it. Cache maintenance of a "
        "real board is not in it, and no machine has this host with that fabric. The speed-up is against the fastest "
        "all-software early-exit engine at the same batch and number of threads."
    )


def _summary(record: Record) -> list[str]:
    """What a reader in a hurry takes away, and what the columns of all tables mean."""
    threads = record["settings"]["threads"][0]
    rows, sentences = [], []
    for network, measured in record["networks"].items():
        found = measured["evaluation"]["calibrated"]
        exits = found["exit_accuracy"]
        sentences.append(
            f"`{network}`: {100 * found['accuracy']:.2f} % right, where its last exit alone has "
            f"{100 * exits[-1]:.2f} % and its first {100 * exits[0]:.2f} %; "
            f"{100 * found['early_share']:.2f} % leave early."
        )
        rows += [[f"`{network}`", *row] for row in _tables.summary(measured["tables"], threads)]
    return [
        "\n".join(f"- {sentence}" for sentence in sentences),
        f"The fastest of each side, {'one thread' if threads == 1 else f'{threads} threads'}:",
        _markdown_table(("network", *_tables.SUMMARY_HEADER), rows),
        "*us an image* is the median over the batches of all repetitions: what the usual batch takes, divided by its "
        "images. *images/s* is all images of a repetition over all of its time, the median of the repetitions: what "
        "comes out in the end, slow batches included. So the one is not the other's reciprocal; in batches of one they "
        "differ most, because the usual image leaves early and the few others take much longer. A *speed-up* is a "
        "ratio of images/s. Two figures in a cell are without and with early exits.",
    ]


def _accuracy(record: Record) -> tuple[Sequence[str], list[list[str]]]:
    rows = []
    for network, measured in record["networks"].items():
        for name, found in measured["evaluation"].items():
            rows.append(
                [
                    f"`{network}`",
                    name,
                    ", ".join(f"{threshold:.3f}" for threshold in found["thresholds"]),
                    f"{100 * found['accuracy']:.2f} %",
                    ", ".join(f"{100 * each:.2f} %" for each in found["exit_accuracy"]),
                    f"{found['loss_points']:.3f}",
                    f"{100 * found['early_share']:.2f} %",
                    ", ".join(f"{100 * each:.2f} %" for each in found["shares"]),
                ]
            )
    header = (
        "network",
        "thresholds",
        "nats",
        "accuracy",
        "of each exit alone",
        "points lost",
        "left early",
        "at each exit",
    )
    return header, rows


def _network(network: str, measured: Record, pictures: str | None) -> list[str]:
    tables = measured["tables"]
    parts = [f"## `{network}`"]
    if pictures:
        parts.append(f"![accuracy and early exits against the threshold]({pictures}/{network}-trade-off.png)")
    parts += [
        "### Table 1: without and with early exits, in software",
        f"Accuracy and shares are those of the images that were timed: {_counts(tables)}. All *measured*.",
        _markdown_table(*_tables.table_1(tables)),
        "### Table 3: all software, and the first exit in the fabric",
        _markdown_table(*_tables.table_3(tables)),
        *[f"Left out: {engine} ({reason})." for engine, reason in tables["left_out"].items()],
        *_headlines(tables),
        "Where the time goes, microseconds an image:",
        _markdown_table(*_tables.stages(tables)),
    ]
    if pictures:
        parts.append(f"![speed-up against the share that leaves early]({pictures}/{network}-break-even.png)")
    parts += [
        "### Risk bound",
        _risk_sentence(measured["risk"]),
        "### Robustness",
        *_robustness(measured["robustness"]),
    ]
    parts += ["### Governor", _governor_sentence(measured["governor"])]
    if pictures:
        parts.append(f"![time an image and threshold over the stream]({pictures}/{network}-governor.png)")
    return parts


def _counts(tables: Record) -> str:
    counts = {row["batch"]: row["images"] for row in tables["rows"]}
    return ", ".join(f"{images} in batches of {batch}" for batch, images in sorted(counts.items()))


def _headlines(tables: Record) -> list[str]:
    """One sentence for each batch: the best of each side, whoever wins."""
    sentences = []
    for batch in sorted({row["batch"] for row in tables["rows"]}):
        software = compare.best(tables["rows"], "with", batch, 1)
        for pixels in sorted({row["pixels_per_beat"] for row in tables["rows"] if "pixels_per_beat" in row}):
            row = compare.best(tables["rows"], "fabric", batch, 1, pixels_per_beat=pixels)
            if row and software:
                ratio = row["images_a_second"] / software["images_a_second"]
                sentences.append(
                    f"Batch {batch}, one thread, {pixels} pixels a beat: {row['engine']} has {ratio:.2f} times the "
                    f"throughput of {software['engine']} (paper: {_tables.PAPER_SPEEDUP})."
                )
    return sentences


def _risk_sentence(risk: Record) -> str:
    if "left_out" in risk:
        return f"Left out: {risk['left_out']}."
    return (
        f"Over {risk['splits']} random splits of {risk['images']} images, thresholds chosen on "
        f"{risk['calibration_images']} so that the loss stays under {risk['max_loss_points']:g} points with "
        f"probability {1 - risk['delta']:g}: the loss on the rest was above the bound in "
        f"{100 * risk['violations']:.1f} % of the splits, the risk on all images in "
        f"{100 * risk['risk_violations']:.1f} % (allowed: {100 * risk['delta']:g} %). Mean loss "
        f"{risk['mean_loss_points']:.3f} points at {100 * risk['early_share']:.2f} % early exits."
    )


def _robustness(robustness: Record) -> list[str]:
    rows = [
        [
            row["corruption"],
            row["thresholds"],
            f"{100 * row['accuracy']:.2f} %",
            f"{100 * row['last_exit']:.2f} %",
            f"{100 * row['early_share']:.2f} %",
            f"{100 * row['errors_among_early']:.2f} %",
            f"{100 * row['wrong_that_leave_early']:.1f} %",
            f"{row['risk_points']:.2f}",
            "yes" if row["bound_holds"] else "no",
        ]
        for row in robustness["digits"]
    ]
    strangers = [
        [row["kind"], row["thresholds"], f"{100 * row['early_share']:.2f} %"] for row in robustness["strangers"]
    ]
    header = (
        "corruption",
        "thresholds",
        "accuracy",
        "last exit alone",
        "left early",
        "wrong among them",
        "wrong ones that left early",
        "risk, points",
        f"under {robustness['bound_points']:g}",
    )
    return [
        f"{robustness['images']} test images, seed {robustness['seed']}:",
        _markdown_table(header, rows),
        "Images that are no digits:",
        _markdown_table(("kind", "thresholds", "left early"), strangers),
    ]


def _governor_sentence(trace: Record) -> str:
    spells = "; ".join(
        f"{spell['name']}: "
        + (
            "not held below the cap"
            if spell["settled_after"] is None
            else f"held after {spell['settled_after']} batches"
        )
        for spell in trace["spells"]
    )
    return (
        f"A stream of clean, rotated, noisy and clean digits in batches of {trace['images_a_batch']}, target "
        f"{1e6 * trace['target_seconds']:.2f} us an image, cap {', '.join(f'{cap:.3f}' for cap in trace['cap'])} nats "
        f"({trace['device']}; time by the measured cost of each exit). {spells}."
    )


def _board_sentence(board: Record) -> str:
    """What a board has shown, or where it stopped."""
    if failed := board["failed"]:
        return f"It stopped at the step `{failed['step']}`: {failed['error']}"
    long_run = board["long_run"]
    return (
        f"{board['compared']:,} images of {board['sample']} are bit for bit as NumPy computes them; "
        f"{long_run['images']:,} images with {long_run['wrong']} wrong and {long_run['retries']} retries; accuracy "
        f"{100 * board['accuracy']:.2f} %, left at each exit: {', '.join(f'{100 * s:.2f} %' for s in board['shares'])}."
    )


def _board_rates(board: Record) -> list[str]:
    """The rates of a board, and what was modelled for it beside them."""
    header, rows = [*bringup.header(board), "modelled, us an image"], []
    try:
        for rate, row in zip(board.get("rates", []), bringup.table(board)):
            rows.append([*row, modelled.beside(board.get("board", ""), rate["batch"]) or "unknown"])
    except InputError as error:
        left_out = f"What is modelled for a board is left out: {error}."
        return [_markdown_table(bringup.header(board), bringup.table(board)), left_out]
    return [_markdown_table(header, rows), "All but the last column is of the record; [the model](board.md) is that."]


def _energy_sentence(record: Record) -> str:
    constants = "; ".join(record["energy"]["constants"]) or "none known for this host"
    kind = (
        "measured where a row says so" if record["energy"]["measured"] else "modelled: there is no counter to read here"
    )
    return f"Energy is {kind}. Constants of the model: {constants}."


def _markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
