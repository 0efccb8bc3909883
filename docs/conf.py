"""Settings of the documentation, and the pages that it writes from the code at each build, into ``reference/``."""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
from pathlib import Path
from typing import TypeVar

from docutils.nodes import Element
from sphinx.application import Sphinx
from sphinx.ext.autodoc.mock import mock

import pynq_ee
from pynq_ee.commands.cli import build_parser

sys.path.insert(0, str(Path(__file__).resolve().parent))
import architecture

GENERATED = Path(__file__).resolve().parent / "reference"
PACKAGE = Path(pynq_ee.__file__).parent

project = "pynq_ee"
copyright = "the authors of pynq_ee"
version = release = pynq_ee.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.mathjax", "numpydoc"]
source_suffix = {".md": "myst-nb", ".ipynb": "myst-nb", ".rst": "restructuredtext"}
exclude_patterns = ["_build", "**/.ipynb_checkpoints"]

html_theme = "furo"
html_title = f"pynq_ee {version}"
html_copy_source = False
html_show_sphinx = False
html_static_path = html_css_files = ["style.css"]

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # the outputs are committed; a test executes the notebooks

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
autodoc_default_options = {"members": True}
# What some engines, the training and the plots need and the pages do not: nothing of it runs here.
autodoc_mock_imports = [
    "torch",
    "onnx",
    "onnxruntime",
    "ai_edge_litert",
    "matplotlib",
    "scipy",
    "threadpoolctl",
    "tqdm",
    "mlxtend",
    "distributed",
    "dask",
    "ipywidgets",
    "anywidget",
]
autosummary_generate = False
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

# Every reference within the project must lead somewhere. Types of other projects, and aliases, are names in signatures:
# there may be no network to look them up, and an alias has no page.
nitpicky = True
nitpick_ignore_regex = [("py:class", r"(?!pynq_ee\.).*"), ("py:obj", r"(?!pynq_ee\.).*")]
suppress_warnings = ["ref.python"]  # a name in a signature that two modules have: either page is one click away

#: What most users meet, in that order; the reference lists it before the rest.
FOR_USERS = ("inference", "prediction", "errors", "network", "data", "exits", "remainder", "cluster")

#: Documented by the command reference.
COMMANDS = {"commands"}


def modules_of(part: str) -> list[str]:
    """Dotted names of a room: its module, or its folder and the modules in it."""
    found = [PACKAGE / f"{part}.py", *sorted((PACKAGE / part).rglob("*.py"))]
    names = [".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts) for path in found if path.exists()]
    return [name.removesuffix(".__init__") for name in names]


def reference_page(part: str) -> str:
    """The page of one part of the package."""
    options = ["   :ignore-module-all:"] + ["   :show-inheritance:"] * (part == "errors")
    lines = [f"# pynq_ee.{part}", ""]
    for number, module in enumerate(modules_of(part)):
        if number:
            lines += [f"## {module}", ""]
        lines += ["```{eval-rst}", f".. automodule:: {module}", *options, "```", ""]
    return "\n".join(lines)


def reference_index() -> str:
    """The list of pages, as part of the page ``reference.md``."""
    rest = sorted(set(architecture.parts()) - {*FOR_USERS, *COMMANDS})
    lines = []
    for caption, parts in (("For users", FOR_USERS), ("For developers", rest)):
        entries = [f"reference/{part}" for part in parts]
        lines += ["```{toctree}", f":caption: {caption}", ":maxdepth: 1", *entries, "```", ""]
    return "\n".join(lines)


def command_page() -> str:
    """Every command with the very text of its ``--help``."""
    parser = build_parser()
    commands = next(action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    lines = ["```text", parser.format_help().strip(), "```", ""]
    for name, command in commands.choices.items():
        lines += [f"(pynq-ee-{name})=", f"## pynq-ee {name}", "", "```text", command.format_help().strip(), "```", ""]
    return "\n".join(lines)


def write_generated(app: Sphinx) -> None:
    """Write the generated pages; only a page that changed is written, so that a second build is quick."""
    os.environ["COLUMNS"] = "88"  # the width that argparse wraps at
    pages = {f"{part}.md": reference_page(part) for part in architecture.parts() if part not in COMMANDS}
    pages["index.md.part"] = reference_index()
    pages["commands.md.part"] = command_page()
    for name, text in pages.items():
        path = GENERATED / name
        if not path.exists() or path.read_text() != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    for path in GENERATED.glob("*.md"):  # of a part that is no more
        if path.name not in pages:
            path.unlink()


def leave_type_variables(app: Sphinx, env: object, node: Element, text: Element) -> Element | None:
    """A type variable in a signature has no page to lead to."""
    module, _, name = str(node.get("reftarget")).rpartition(".")
    if not module.startswith("pynq_ee") or importlib.util.find_spec(module) is None:
        return None
    with mock(autodoc_mock_imports):
        found = getattr(importlib.import_module(module), name, None)
    return text if isinstance(found, TypeVar) else None


def setup(app: Sphinx) -> None:
    """Let Sphinx call what is above."""
    app.connect("builder-inited", write_generated)
    app.connect("missing-reference", leave_type_variables)
