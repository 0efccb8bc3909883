"""What runs by ``python -m`` says how it is called."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

import pynq_ee

ROOT = Path(pynq_ee.__file__).parent
PROGRAMS = sorted(
    ".".join(path.relative_to(ROOT.parent).with_suffix("").parts)
    for path in ROOT.rglob("*.py")
    if "sys.exit(status(COMMAND, main))" in path.read_text()
)


def test_there_are_programs() -> None:
    assert len(PROGRAMS) > 15


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_help_of_a_program_calls_it_as_it_is_called_and_has_examples(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    module = importlib.import_module(name)
    with pytest.raises(SystemExit) as ended:
        module.main(["--help"])
    command = f"python -m {name.removesuffix('.__main__')}"
    said = capsys.readouterr().out
    assert (ended.value.code, module.COMMAND) == (0, command)
    assert said.startswith(f"usage: {command} ")
    assert re.search(rf"^ +{re.escape(command)}", said, re.MULTILINE), "no example"
