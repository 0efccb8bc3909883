"""What the pages quote and draw is what the code says."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from pynq_ee.bench.circuit import estimate, hardware
from pynq_ee.driver import bitfiles
from pynq_ee.network import weights

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "docs"))
import architecture
import pictures

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"

#: A message on the page of troubles: a line of a block of this language, with this sign for what differs.
MESSAGES = [
    line
    for block in re.findall(r"^```text\n(.*?)^```", (DOCS / "troubleshooting.md").read_text(), re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
]
BLANK = "…"

#: Letters in a row, so that a message cannot match by its blanks alone.
SHORTEST_QUOTE = 6


def texts_of(path: Path) -> list[str]:
    """The texts in a file: of Python, every string, with blanks for values; else every line, continued ones joined."""
    content = path.read_text()
    if path.suffix != ".py":
        return re.sub(r"\\\n\s*", " ", content).splitlines()
    texts = []
    for node in ast.walk(ast.parse(content)):
        if isinstance(node, ast.JoinedStr):
            texts.append("".join(part.value if isinstance(part, ast.Constant) else BLANK for part in node.values))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            texts.append(node.value)
    return texts


SOURCES = [*ROOT.glob("pynq_ee/**/*.py"), *ROOT.glob("hw/vivado/*.tcl"), ROOT / "hw/build.tcl", ROOT / "hw/Makefile"]
TEXTS = [text for path in SOURCES for text in texts_of(path)]


def is_said(message: str) -> bool:
    """Whether some text of the code is the message, whatever stands in the blanks."""
    pattern = ".*".join(re.escape(piece) for piece in message.split(BLANK))
    return any(re.search(pattern, text) for text in TEXTS)


@pytest.mark.parametrize("message", MESSAGES)
def test_a_message_on_the_page_of_troubles_is_one_of_the_code(message: str) -> None:
    assert max(map(len, re.findall(r"[\w. ]+", message))) >= SHORTEST_QUOTE, "nothing to recognize it by"
    assert is_said(message)


def test_a_message_that_nothing_says_is_noticed() -> None:
    assert len(MESSAGES) > 30
    assert not is_said(f"the flux of {BLANK} is exhausted")


def test_the_circuit_in_the_readme_is_what_the_command_prints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The repository has no bitstream of Vivado's, though a checkout may.
    (tmp_path / bitfiles.OPEN).symlink_to(ROOT / "overlay" / bitfiles.OPEN)
    monkeypatch.setattr(bitfiles, "OVERLAY_FOLDERS", [tmp_path])
    estimates = estimate.read(DOCS / "circuit.json")["rows"]
    table = hardware.markdown(hardware.figures(weights.load(weights.DEFAULT), estimates)).splitlines()
    told = [line for line in (ROOT / "README.md").read_text().splitlines() if re.match(r"\| (xc|part )", line)]
    assert told == [line for line in table if re.match(r"\| (xc|part )", line)]
    assert len(told) == 6


def test_the_architecture_page_has_the_table_of_the_floors() -> None:
    assert architecture.PAGE.read_text() == architecture.page(), "run python docs/architecture.py"


def test_every_part_stands_in_one_place_of_the_architecture() -> None:
    parts = architecture.parts()
    assert len(parts) == len(set(parts))
    house = json.loads((DOCS / "architecture.json").read_text())
    assert {name for used in house["beside"].values() for name in used} <= set(parts)


def words(path: Path) -> list[str]:
    """Texts of a drawing, in the order in which they were drawn."""
    found = (element for element in ElementTree.parse(path).iter() if element.tag.endswith("}text"))
    return ["".join(element.itertext()).strip() for element in found]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pictures, drawn now."""
    folder = tmp_path_factory.mktemp("pictures")
    pictures.draw(folder)
    return folder


@pytest.mark.parametrize("name", pictures.PICTURES)
def test_a_drawing_has_the_words_and_numbers_of_the_code(name: str, drawn: Path) -> None:
    expected = words(drawn / f"{name}.svg")
    assert len(expected) > 5
    assert words(DOCS / "pictures" / f"{name}.svg") == expected, "run python docs/pictures.py"


@pytest.mark.parametrize("name", pictures.PICTURES)
def test_a_drawing_is_on_a_page(name: str) -> None:
    assert any(f"pictures/{name}.svg" in page.read_text() for page in DOCS.glob("*.md"))


def test_the_hooks_are_valid_and_local() -> None:
    pytest.importorskip("pre_commit", reason="pip install 'pynq_ee[dev]'")
    path = ROOT / ".pre-commit-config.yaml"
    checked = subprocess.run(
        [sys.executable, "-m", "pre_commit", "validate-config", str(path)], capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert set(re.findall(r"- repo: (\S+)", path.read_text())) <= {"local", "meta"}
