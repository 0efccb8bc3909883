"""Imports run one way, and importing the package is light."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import pynq_ee

ROOT = Path(pynq_ee.__file__).parent

#: The house, as the architecture page draws it: floors of rooms from the ground up, where a room may import from its
#: own floor and from those below it; and what stands beside them, with the rooms that it may use: the simulated board,
#: below pynq, and training, which reaches the rest through files. A file of the package's own folder counts as a room.
ARCHITECTURE = json.loads((ROOT.parent / "docs" / "architecture.json").read_text())
FLOOR = {part: number for number, parts in enumerate(ARCHITECTURE["floors"]) for part in parts}
BESIDE = {part: {part, *used} for part, used in ARCHITECTURE["beside"].items()}

#: Packages that only some modules may import, by the start of the module's name.
GUARDED = {
    "torch": ("train.", "remainder.torch", "bench."),
    "matplotlib": ("bench.",),
    "onnx": ("generate.onnx", "remainder.onnx", "bench."),
    "onnxruntime": ("remainder.onnx", "bench."),
    "tqdm": ("train.", "bench.", "commands.", "bitcheck.", "openflow."),
    "distributed": ("cluster.workers", "bench."),
}


class Import(NamedTuple):
    """One import: who, whom, and whether only when a function runs."""

    importer: str
    imported: str
    lazy: bool


def modules() -> dict[str, Path]:
    """Dotted name within the package, and file, of every module; a package is named like its folder.

    A compiled module is there by the types that are told of it.
    """
    found = {}
    for path in sorted([*ROOT.rglob("*.py"), *ROOT.rglob("*.pyi")]):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = path
    return found


MODULES = modules()


def imported_names(node: ast.AST) -> Iterator[str]:
    """Full names that a statement or an ``import_module`` call imports."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports are absolute, so that they can be read"
        yield from (f"{node.module}.{alias.name}" for alias in node.names)
    elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
        yield from (part.value for part in node.args if isinstance(part, ast.Constant))


def walk(node: ast.AST, lazy: bool = False) -> Iterator[tuple[ast.AST, bool]]:
    """Every node, and whether it is inside a function."""
    for child in ast.iter_child_nodes(node):
        yield child, lazy
        yield from walk(child, lazy or isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)))


def imports_of(name: str) -> Iterator[Import]:
    """Imports of one module; those from the package itself by the module that they reach."""
    for node, lazy in walk(ast.parse(MODULES[name].read_text())):
        for full in imported_names(node):
            top, _, rest = full.partition(".")
            if top != "pynq_ee":
                yield Import(name, full, lazy)
                continue
            while rest and rest not in MODULES:  # a name in a module, and not a module
                rest = rest.rpartition(".")[0]
            yield Import(name, f"pynq_ee.{rest}" if rest else "pynq_ee", lazy)


IMPORTS = [found for name in MODULES for found in imports_of(name)]
INTERNAL = [
    Import(found.importer, found.imported.partition(".")[2], found.lazy)
    for found in IMPORTS
    if found.imported.split(".")[0] == "pynq_ee"
]


def part(module: str) -> str:
    """The room on the floors that a module belongs to."""
    return module.split(".")[0]


def room(module: str) -> str:
    """The folder that a module stands in, dotted; a file of the package's own folder is a room by itself."""
    if MODULES[module].name == "__init__.py":
        return module
    return module.rpartition(".")[0] or module


def needs_without_end(after: dict[str, set[str]]) -> list[str]:
    """What is left when everything that needs nothing more has been taken away: the members of circles, and theirs."""
    after = dict(after)
    while ready := {name for name, needs in after.items() if not needs & after.keys()}:
        after = {name: needs for name, needs in after.items() if name not in ready}
    return sorted(after)


def test_the_walk_sees_imports() -> None:
    """The rules below would pass on an empty list."""
    assert Import("inference", "driver.accelerator", False) in INTERNAL
    assert Import("inference", "sim", True) in INTERNAL
    assert Import("remainder.torch", "torch", False) in IMPORTS
    assert Import("commands.train", "train.loop", True) in INTERNAL
    assert len(MODULES) > 30
    assert room("exits.rule") == room("exits") == "exits" and room("files") == "files"
    assert needs_without_end({"a": {"b"}, "b": {"a"}, "c": {"d"}, "d": set()}) == ["a", "b"]


@pytest.mark.parametrize("module", MODULES)
def test_every_module_has_its_place(module: str) -> None:
    assert part(module) in {*FLOOR, *BESIDE, ""}, "give a new part its floor in docs/architecture.json"


def test_imports_go_down_or_stay_on_their_floor() -> None:
    wrong = [
        found
        for found in INTERNAL
        if part(found.importer) in FLOOR
        and part(found.imported) in FLOOR
        and FLOOR[part(found.imported)] > FLOOR[part(found.importer)]
    ]
    assert not wrong


def test_no_module_imports_itself_in_a_circle() -> None:
    after: dict[str, set[str]] = {name: set() for name in MODULES}
    for found in INTERNAL:
        if not found.lazy and found.imported and found.imported != found.importer:
            after[found.importer].add(found.imported)
    assert not needs_without_end(after)


def test_no_room_needs_itself_through_another() -> None:
    """Lazy imports count too."""
    after: dict[str, set[str]] = {room(name): set() for name in MODULES}
    for found in INTERNAL:
        if found.imported and room(found.imported) != room(found.importer):
            after[room(found.importer)].add(room(found.imported))
    assert not needs_without_end(after)


def test_no_room_reaches_into_the_private_names_of_another() -> None:
    """Neither by importing them, nor as an attribute of a module that it imported."""
    wrong = []
    for name, path in MODULES.items():
        tree, modules_at_hand = ast.parse(path.read_text()), {}
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] == "pynq_ee":
                for alias in node.names:
                    inner = f"{node.module}.{alias.name}".partition(".")[2]
                    if inner in MODULES:
                        modules_at_hand[alias.asname or alias.name] = inner
                    elif alias.name.startswith("_") and not alias.name.startswith("__"):
                        modules_at_hand[alias.name] = str(node.module).partition(".")[2]
                        if room(modules_at_hand[alias.name]) != room(name):
                            wrong.append((name, inner))
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.attr.startswith("_"):
                owner = modules_at_hand.get(node.value.id)
                if owner and not node.attr.startswith("__") and room(owner) != room(name):
                    wrong.append((name, f"{owner}.{node.attr}"))
    assert not wrong


def test_only_the_commands_and_the_cli_look_at_the_package_as_a_whole() -> None:
    importers = {part(found.importer) for found in INTERNAL if not found.imported}
    assert importers <= {"commands", "bench", "cluster"}


def test_the_simulated_board_is_imported_only_when_it_is_asked_for() -> None:
    users = [found for found in INTERNAL if part(found.imported) == "sim" and part(found.importer) != "sim"]
    assert {part(found.importer) for found in users} <= {"inference", "commands", "bench", "notebook"}
    assert all(found.lazy for found in users)


def test_the_simulated_board_stands_below_pynq_and_the_driver() -> None:
    used = {part(found.imported) for found in INTERNAL if part(found.importer) == "sim"}
    assert used <= BESIDE["sim"]


def test_training_reaches_the_rest_through_files() -> None:
    used = {part(found.imported) for found in INTERNAL if part(found.importer) == "train"}
    assert used <= BESIDE["train"]
    users = [found for found in INTERNAL if part(found.imported) == "train" and part(found.importer) != "train"]
    assert {part(found.importer) for found in users} <= {"commands"} and all(found.lazy for found in users)


def test_nobody_needs_the_check_of_bitstreams() -> None:
    """What it finds is worth something as long as it shares nothing with what makes bitstreams."""
    assert not [found for found in INTERNAL if part(found.imported) == "bitcheck" != part(found.importer)]
    used = {part(found.imported) for found in INTERNAL if part(found.importer) == "bitcheck"} - {"bitcheck"}
    assert used <= BESIDE["bitcheck"]


def test_nobody_needs_the_flow_of_open_tools() -> None:
    assert not [found for found in INTERNAL if part(found.imported) == "openflow" != part(found.importer)]
    used = {part(found.imported) for found in INTERNAL if part(found.importer) == "openflow"}
    assert used <= BESIDE["openflow"]


def test_nothing_that_the_driver_reaches_is_training() -> None:
    reached, left = set(), {"inference", "driver.accelerator", "remainder"}
    while left:
        reached |= left
        left = {found.imported for found in INTERNAL if found.importer in left} - reached
    assert "network.weights" in reached and not any(part(name) == "train" for name in reached)


@pytest.mark.parametrize(("package", "allowed"), GUARDED.items())
def test_a_heavy_package_is_imported_only_where_it_belongs(package: str, allowed: tuple[str, ...]) -> None:
    users = {found.importer for found in IMPORTS if part(found.imported) == package}
    assert not [name for name in users if not f"{name}.".startswith(allowed)]


def test_pynq_is_imported_only_inside_functions_of_the_driver() -> None:
    """``sim`` is itself loaded lazily, and may import pynq as it likes."""
    users = [found for found in IMPORTS if part(found.imported) == "pynq" and part(found.importer) != "sim"]
    assert users and all(found.lazy for found in users)


def test_the_spec_imports_nothing_but_the_standard_library() -> None:
    names = {part(found.imported) for found in IMPORTS if found.importer in ("network.spec", "errors")}
    assert names <= set(sys.stdlib_module_names)


@pytest.mark.parametrize("statement", ["import pynq_ee", "from pynq_ee.commands import cli; cli.build_parser()"])
def test_importing_is_light(statement: str) -> None:
    heavy = ["pynq", "torch", "matplotlib", "onnx", "onnxruntime", "scipy", "sklearn", "mlxtend", "tqdm", "dask"]
    heavy += ["http"]  # of what fetches MNIST
    program = f"{statement}; import json, sys; print(json.dumps(sorted({{*{heavy}}} & sys.modules.keys())))"
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT.parent)
    assert output.returncode == 0, output.stderr
    assert json.loads(output.stdout) == []


def test_every_program_tells_its_errors_as_the_others_do() -> None:
    """What runs as a program ends by :func:`pynq_ee.errors.status`, and shows nobody a traceback of a missing file."""
    texts = {name: path.read_text() for name, path in MODULES.items()}
    programs = {name: text for name, text in texts.items() if '\nif __name__ == "__main__":' in text}
    assert len(programs) > 15
    assert [name for name, text in programs.items() if not re.search(r"\bstatus\(", text)] == []


def test_a_program_without_its_data_says_so_in_a_line(tmp_path: Path) -> None:
    for program in ("pynq_ee.bench.circuit.clocks", "pynq_ee.bench.reliability.soak"):
        line = [sys.executable, "-m", program, "--model", str(tmp_path / "none.npz")]
        done = subprocess.run(line, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert done.stderr.startswith(f"python -m {program}: ") and done.stderr.count("\n") == 1
