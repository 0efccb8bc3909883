"""What is installed from the distributions works outside the repository, with pynq's own ways of finding it."""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import pynq_ee
from installations import OTHER_BOARD, SYSTEM, Distributions, Environment
from pynq_ee.network.spec import OVERLAY_NAME

IMAGES = "200"

#: What the command `pynq get-notebooks` runs. Its script would have the Python that runs the tests.
GET_NOTEBOOKS = """
import sys
from importlib.metadata import entry_points
(command,) = {entry.value for entry in entry_points(group="console_scripts") if entry.name == "pynq-get-notebooks"}
module, function = command.split(":")
__import__(module)
getattr(sys.modules[module], function)()
"""

#: Loads an overlay by its name alone on a simulated board, and tells which file it is and what is in it.
LOAD_OVERLAY = """
import json, sys
import pynq
from pynq_ee.driver import bitfiles
from pynq_ee.network import weights
from pynq_ee.sim import SimulatedDevice
board = sys.argv[1]
with SimulatedDevice(weights.load(weights.DEFAULT), kernel="numpy", board=board) as device:
    overlay = pynq.Overlay("first_exit.bit", device=device)
    found = bitfiles.find_for(bitfiles.BOARDS[board])
    print(json.dumps([overlay.bitfile_name, str(found), sorted(overlay.ip_dict)]))
"""

#: The experimental overlay, as `bitfile="open"` finds it.
FIND_OPEN = """
from pynq_ee.driver import bitfiles
from pynq_ee.network import weights
board = bitfiles.board_of(None)
print(bitfiles.find_open(board, bitfiles.as_in_open(weights.load(), board).build_id))
"""


def test_the_demo_runs(installed: Environment) -> None:
    record = installed.json("pynq-ee", "demo", "--device", "sim-numpy", "--images", IMAGES, "--no-picture")
    assert record["device"] == "simulated pynq-z2 (numpy kernel)"
    assert record["images"] == int(IMAGES)
    assert record["accuracy"] > 0.97


def test_the_package_is_the_installed_one(installed: Environment) -> None:
    assert Path(installed.python("import pynq_ee; print(pynq_ee.__file__)")).is_relative_to(installed.folder)
    found = installed.python("from importlib.metadata import version; print(version('pynq_ee'))")
    assert found == pynq_ee.__version__


@pytest.mark.skipif(shutil.which("g++", path=SYSTEM) is None, reason="no g++: sudo apt install g++")
def test_the_source_distribution_compiles_the_native_engine(from_sdist: Environment) -> None:
    assert "native" in from_sdist.json("pynq-ee", "info")["remainder engines"]


def test_without_a_compiler_the_source_distribution_is_installed_and_numpy_takes_over(
    install: Callable[..., Environment], distributions: Distributions
) -> None:
    environment = install(distributions.sdist, path="")
    assert "native" not in environment.json("pynq-ee", "info")["remainder engines"]
    assert environment.python("from pynq_ee import remainder; print(remainder.default())") == "numpy"


@pytest.mark.skipif(
    shutil.which("g++", path=SYSTEM) is None or importlib.util.find_spec("hls4ml") is None,
    reason="no g++ or no hls4ml: sudo apt install g++ make; pip install 'pynq_ee[sim]'",
)
@pytest.mark.usefixtures("digits")
def test_the_kernel_is_compiled_from_the_installed_sources(from_sdist: Environment, tmp_path: Path) -> None:
    demo = ("pynq-ee", "demo", "--device", "sim", "--images", IMAGES, "--no-picture")
    assert from_sdist.json(*demo, PYNQ_EE_CACHE=str(tmp_path))["device"] == "simulated pynq-z2 (hls kernel)"
    assert [path.suffix for path in tmp_path.iterdir()] == [".so"]


def test_pynq_delivers_the_notebooks(from_wheel: Environment, repository: Path, tmp_path: Path) -> None:
    from_wheel.run(
        "python", "-c", GET_NOTEBOOKS, "pynq_ee", "--path", tmp_path / "here", "--ignore-overlays", "--quiet"
    )
    delivered = {path.name: path.read_text() for path in (tmp_path / "here" / "pynq_ee").glob("*.ipynb")}
    assert delivered == {path.name: path.read_text() for path in (repository / "notebooks").glob("*.ipynb")}
    assert delivered


@pytest.mark.parametrize(
    ("board", "variable", "folder"),
    [
        ("pynq-z2", "", "."),  # a machine without a board
        ("pynq-z2", "Pynq-Z2", "."),  # spelled as the images do
        ("pynq-z1", "Pynq-Z1", "."),
        (OTHER_BOARD, "ZCU104", OTHER_BOARD),
    ],
)
def test_pynq_finds_and_loads_the_boards_overlay_by_its_name(
    from_wheel: Environment, board: str, variable: str, folder: str
) -> None:
    named = {"BOARD": variable} if variable else {}
    loaded, found, contents = json.loads(
        from_wheel.run("python", "-W", "ignore", "-c", LOAD_OVERLAY, board, **named).stdout
    )
    assert Path(loaded).samefile(found)
    assert Path(loaded).parent.samefile(from_wheel.package / "overlay_files" / folder)
    assert {"axi_dma", OVERLAY_NAME} <= set(contents)


def test_the_overlay_of_open_tools_is_there_for_those_who_ask_for_it(installed: Environment, tmp_path: Path) -> None:
    variables = {"BOARD": "Pynq-Z1", "PYNQ_EE_CACHE": str(tmp_path)}
    found = Path(installed.python(FIND_OPEN, **variables))
    assert found.is_relative_to(tmp_path) and found.stat().st_size > 4_000_000
    done = installed.run("pynq-ee", "doctor", "--json", check=False, **variables)
    (told,) = (each for each in json.loads(done.stdout) if each["check"] == "overlay pynq-z1, open")
    packed = installed.package / "overlay_files/open/pynq-z2/first_exit.bit.gz"
    assert told["found"].startswith(f"{packed}, experimental")


@pytest.mark.parametrize("variable", ["KV260", "Ultra96"])
def test_another_boards_overlay_is_not_found_in_place_of_ones_own(from_wheel: Environment, variable: str) -> None:
    done = from_wheel.run("python", "-W", "ignore", "-c", LOAD_OVERLAY, "pynq-z2", check=False, BOARD=variable)
    assert f"{OVERLAY_NAME}.bit does not exist" in done.stderr
