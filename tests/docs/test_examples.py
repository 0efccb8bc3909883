"""Every example in a docstring and on a page runs, on the simulated board, and gives what it says."""

from __future__ import annotations

import ast
import doctest
import importlib
import re
from pathlib import Path

import pytest

import pynq_ee

PACKAGE = Path(pynq_ee.__file__).parent
DOCS = Path(__file__).parents[2] / "docs"

#: Examples of a page stand in fenced blocks of this language.
BLOCK = re.compile(r"^```pycon\n(.*?)^```", re.MULTILINE | re.DOTALL)

OPTIONS = doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL


def modules_with_examples() -> list[str]:
    """Dotted names of the modules with an example in a docstring."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        nodes = [
            node
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
        ]
        if any(">>>" in (ast.get_docstring(node) or "") for node in nodes):
            found.append(".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"))
    return found


def examples(page: Path) -> str:
    """The examples of a page, one after another."""
    return "\n".join(BLOCK.findall(page.read_text()))


MODULES = modules_with_examples()
PAGES = [path for path in sorted(DOCS.glob("*.md")) if examples(path)]


def test_there_are_examples() -> None:
    """The tests below would pass on none."""
    assert {"pynq_ee.inference", "pynq_ee.sim.device"} <= set(MODULES)
    assert {"quick-start", "ideas"} <= {page.stem for page in PAGES}


def test_no_example_of_a_page_stands_outside_of_its_block() -> None:
    stray = [page.name for page in DOCS.glob("*.md") if ">>>" in BLOCK.sub("", page.read_text())]
    assert not stray


@pytest.mark.usefixtures("digits")
@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_are_true(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name), optionflags=OPTIONS)
    assert result.attempted and not result.failed


@pytest.mark.usefixtures("digits")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_examples_of_a_page_are_true(page: Path) -> None:
    test = doctest.DocTestParser().get_doctest(examples(page), {}, page.name, str(page), 0)
    result = doctest.DocTestRunner(optionflags=OPTIONS).run(test)
    assert result.attempted and not result.failed
