"""The parts of the house, from ``architecture.json``, which the test of the imports reads too.

python docs/architecture.py     write the table of the architecture page again
"""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PACKAGE = HERE.parent / "pynq_ee"
PAGE = HERE / "architecture.md"
BEGIN, END = "<!-- table: written by docs/architecture.py -->", "<!-- end of the table -->"


def read() -> dict[str, Any]:
    """The floors from the ground up, and what stands beside them."""
    content: dict[str, Any] = json.loads((HERE / "architecture.json").read_text())
    return content


def parts() -> list[str]:
    """Names of all parts: modules and packages of ``pynq_ee``."""
    house = read()
    return [part for floor in house["floors"] for part in floor] + list(house["beside"])


def summary(part: str) -> str:
    """First sentence of a part's docstring."""
    path = PACKAGE / f"{part}.py"
    text = ast.get_docstring(ast.parse((path if path.exists() else PACKAGE / part / "__init__.py").read_text()))
    assert text, f"{part} has no docstring"
    return re.sub(r":\w+:`~?([^`]+)`", r"`\1`", " ".join(text.split("\n\n")[0].split()))


def table() -> str:
    """The parts as Markdown: the top floor first, then what stands beside the house."""
    house = read()
    lines = ["| floor | part | what it is |", "| --- | --- | --- |"]
    for number, floor in reversed(list(enumerate(house["floors"]))):
        lines += [f"| {number if part == floor[0] else ''} | `{part}` | {summary(part)} |" for part in floor]
    for part, used in house["beside"].items():
        may_use = ", ".join(f"`{name}`" for name in used)
        lines.append(f"| beside | `{part}` | {summary(part)} It may use {may_use}. |")
    return "\n".join(lines)


def page() -> str:
    """The architecture page with the table as it must be."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page())
