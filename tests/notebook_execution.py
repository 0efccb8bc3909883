"""Execute the notebooks on the simulated board and keep their outputs: what ``make notebooks`` runs.

python tests/notebook_execution.py [NOTEBOOK...]     all of them, unless some are named

What changes from run to run without meaning is left out, so that a difference in a notebook is one in what it shows.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbclient
import nbformat
from tqdm import tqdm

from pynq_ee.files import write_atomically

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"

#: A training takes minutes, more of them on a busy machine; nothing else takes more than some seconds.
SECONDS_A_CELL = 7200

#: Colours of a terminal.
_ESCAPE = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")

#: A widget lives in the kernel, without which there is nothing to show; the script is pynq's, for the classic notebook.
_UNSHOWN = {"application/vnd.jupyter.widget-view+json", "application/javascript"}

#: A line of tqdm's.
_PROGRESS = re.compile(r" *\d+%\|")


def execute(notebook: Any, folder: str) -> Any:
    """Run all cells of a notebook in place, with a folder as the kernel's; an error in a cell is raised."""
    nbclient.NotebookClient(
        notebook,
        timeout=SECONDS_A_CELL,
        kernel_name="python3",
        store_widget_state=False,
        resources={"metadata": {"path": folder}},
    ).execute()
    return notebook


def with_parameters(notebook: Any, **values: Any) -> Any:
    """Give names that the first code cell assigns other values, in place.

    Raises
    ------
    ValueError
        A name that it does not assign, in a line of its own.
    """
    cell = next(cell for cell in notebook.cells if cell.cell_type == "code")
    for name, value in values.items():
        line = f"{name} = {value!r}"
        cell.source, count = re.subn(rf"^{name} = .*$", lambda _, line=line: line, cell.source, flags=re.MULTILINE)
        if count != 1:
            raise ValueError(f"the first code cell assigns {name} {count} times; it must do so once")
    return notebook


def tidy(notebook: Any) -> Any:
    """Take out what differs between two runs or machines and says nothing."""
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number}"
        cell.metadata = {}
        if cell.cell_type != "code":
            continue
        cell.execution_count = None
        cell.outputs = _joined(cell.outputs)
        for output in cell.outputs:
            if "execution_count" in output:
                output.execution_count = None
            data = output.get("data", {})
            if {"text/html", "image/png"} & data.keys():
                data.pop("text/plain", None)  # an address in memory
    return notebook


def _joined(outputs: list[Any]) -> list[Any]:
    """The outputs, all text of one cell in the first of them: standard output, then what is on standard error."""
    others = [
        output for output in outputs if output.output_type != "stream" and not _UNSHOWN & output.get("data", {}).keys()
    ]
    # The kernel sends the two streams each in its own time, so only within one of them the order is the program's.
    text = "".join(_written(outputs, name) for name in ("stdout", "stderr"))
    return ([nbformat.v4.new_output("stream", name="stdout", text=text)] if text else []) + others


def _written(outputs: list[Any], stream: str) -> str:
    """What a stream of a cell leaves on a terminal, without progress bars and without empty lines at its ends."""
    streams = [output for output in outputs if output.output_type == "stream" and output.name == stream]
    kept = []
    for line in _ESCAPE.sub("", "".join(output.text for output in streams)).split("\n"):
        parts = [part.rstrip() for part in line.split("\r") if not _PROGRESS.match(part)]
        if parts:
            kept.append(next(filter(None, reversed(parts)), ""))
    text = "\n".join(kept).strip("\n")
    return f"{text}\n" if text else ""


def main(names: list[str]) -> int:
    """Execute notebooks, by their paths; all where none is named."""
    paths = [Path(name) for name in names] or sorted(FOLDER.glob("*.ipynb"))
    for path in tqdm(paths, unit="notebook", dynamic_ncols=True):
        tqdm.write(path.name)
        with tempfile.TemporaryDirectory(prefix="pynq_ee_") as folder:
            notebook = tidy(execute(nbformat.read(path, as_version=4), folder))
        write_atomically(path, f"{nbformat.writes(notebook)}\n".encode())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
