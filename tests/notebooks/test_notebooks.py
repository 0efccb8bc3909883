"""Every notebook runs from the first cell to the last on the simulated board, and was committed with its outputs."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

nbformat = pytest.importorskip("nbformat", reason="pip install 'pynq_ee[dev]'")
pytest.importorskip("nbclient", reason="pip install 'pynq_ee[dev]'")
pytest.importorskip("ipywidgets", reason="pip install 'pynq_ee[dev]'")

import notebook_execution as execution  # noqa: E402, needs the lines before it

NOTEBOOKS = sorted(execution.FOLDER.glob("*.ipynb"))

#: What makes a run quick: few images, a training that learns next to nothing.
QUICK: dict[str, dict[str, Any]] = {
    "01_first_steps": {"IMAGES": 200},
    "02_trade_off": {"IMAGES": 200},
    "05_change_the_network": {
        "DEVICE": "sim-numpy",
        "SIMULATED": "sim-numpy",
        "OPTIONS": "--sample --epochs 1 --branch-channels 8 --augmentation 0",
        "IMAGES": 200,
    },
}

#: A notebook is fetched and shown whole, on slow boards too.
LARGEST_BYTES = 300_000


def read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)


def code_cells(path: Path) -> list[Any]:
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def test_there_are_five_notebooks() -> None:
    assert [path.stem[:2] for path in NOTEBOOKS] == ["01", "02", "03", "04", "05"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_first_code_cell_names_both_devices(path: Path) -> None:
    assert '\nDEVICE = choose(board=None, elsewhere="sim")\n' in f"{code_cells(path)[0].source}\n"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_cells_call_and_do_nothing_else(path: Path) -> None:
    logic = (
        ast.FunctionDef,
        ast.ClassDef,
        ast.Lambda,
        ast.For,
        ast.While,
        ast.If,
        ast.Try,
        ast.With,
        ast.comprehension,
    )
    for cell in code_cells(path):
        assert not [node for node in ast.walk(ast.parse(cell.source)) if isinstance(node, logic)], cell.source


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_committed_outputs_are_whole_small_and_tidy(path: Path) -> None:
    assert path.stat().st_size < LARGEST_BYTES
    outputs = [output for cell in code_cells(path) for output in cell.outputs]
    assert outputs and not [output for output in outputs if output.output_type == "error"]
    assert execution.tidy(read(path)) == read(path), "`make notebooks` writes them tidily"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
@pytest.mark.usefixtures("digits")
def test_a_notebook_runs_on_the_simulated_board(path: Path, tmp_path: Path) -> None:
    if path.stem.startswith("05"):
        pytest.importorskip("torch", reason="the training of notebook 05: pip install 'pynq_ee[train]'")
    notebook = execution.with_parameters(read(path), **QUICK.get(path.stem, {}))
    execution.execute(notebook, str(tmp_path))
    shown = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert shown


@pytest.mark.usefixtures("digits")
def test_the_last_notebook_runs_where_there_is_neither_pytorch_nor_hls4ml(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a board, but for the board: its kernel is told that both are missing."""
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("AP_TYPES", str(tmp_path / "empty"))
    quick = {"DEVICE": "sim-numpy", "SIMULATED": "sim", "IMAGES": 100}
    notebook = execution.with_parameters(read(NOTEBOOKS[-1]), **quick)
    notebook.cells.insert(0, nbformat.v4.new_code_cell('import sys\n\nsys.modules["torch"] = None'))
    notebook.cells[
        0
    ].source += "\nimport importlib.util as util\n\nfind, util.find_spec = util.find_spec, lambda name: "
    notebook.cells[0].source += 'None if name == "torch" else find(name)'
    execution.execute(notebook, str(tmp_path))
    said = "".join(output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", []))
    assert "There is no PyTorch here" in said
    assert "not here: the compiled kernel" in said and "not here: the C simulation" in said
    assert "simulated pynq-z2 (numpy kernel)" in said and "hls kernel" not in said


def test_parameters_replace_values_of_the_first_code_cell_alone() -> None:
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [
        nbformat.v4.new_code_cell(text) for text in ("IMAGES = 1000  # some\nDEVICE = None", "IMAGES = 3")
    ]
    execution.with_parameters(notebook, IMAGES=5, DEVICE="sim")
    assert [cell.source for cell in notebook.cells] == ["IMAGES = 5\nDEVICE = 'sim'", "IMAGES = 3"]
    with pytest.raises(ValueError, match="OTHER"):
        execution.with_parameters(notebook, OTHER=1)


def test_tidying_keeps_what_is_shown_and_drops_progress_bars_and_addresses() -> None:
    cell = nbformat.v4.new_code_cell("run()", execution_count=7, metadata={"execution": {"began": "now"}})
    png = {"image/png": "aGk=", "text/plain": "<IPython.core.display.Image object at 0x7f>"}
    cell.outputs = [
        nbformat.v4.new_output("stream", name="stderr", text="\r  0%|     | 0/4 [00:00]\r 50%|##   | 2/4 [00:01]"),
        nbformat.v4.new_output("stream", name="stdout", text="epoch 1  exit 1 97 %\n"),
        nbformat.v4.new_output("stream", name="stderr", text="\r100%|#####| 4/4 [00:02]\n"),
        nbformat.v4.new_output("execute_result", data=png, execution_count=7),
    ]
    notebook = execution.tidy(nbformat.v4.new_notebook(cells=[cell]))
    text, picture = notebook.cells[0].outputs
    assert (text.name, text.text) == ("stdout", "epoch 1  exit 1 97 %\n")
    assert picture.data == {"image/png": "aGk="} and picture.execution_count is None
    assert notebook.cells[0].execution_count is None and notebook.cells[0].metadata == {}
