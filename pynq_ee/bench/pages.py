"""A table of a command, put into a page of the documentation between the command's two marks, and read from there."""

from __future__ import annotations

from pathlib import Path

from pynq_ee.errors import InputError
from pynq_ee.files import write_atomically

END = "<!-- end -->\n"


def begin(command: str) -> str:
    """The line behind which a command's text goes."""
    return f"<!-- begin: {command} -->\n"


def replaced(content: str, command: str, text: str) -> str:
    """A page's content with the text between the two marks of a command replaced.

    Raises
    ------
    InputError
        Content without the marks.
    """
    head, _, rest = _parts(content, command)
    return head + begin(command) + text + "\n" + END + rest


def put(path: Path, command: str, text: str) -> None:
    """Replace the text between the two marks of a command in a file; errors as :func:`replaced`."""
    write_atomically(path, replaced(path.read_text(), command, text).encode())


def rows(path: Path, command: str) -> list[list[str]]:
    """The cells of the table that a command has put into a file, without its header.

    Raises
    ------
    InputError
        A file without the marks, or without a table between them: the command is to be run with ``--write``.
    """
    lines = [line for line in _parts(path.read_text(), command)[1].splitlines() if line.startswith("|")]
    if len(lines) < 3:
        raise InputError(f"{path} has no table of `{command}` yet; run it so that it writes one")
    return [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines[2:]]


def _parts(content: str, command: str) -> tuple[str, str, str]:
    """What stands before the first mark, between the two, and behind the second."""
    mark = begin(command)
    if content.count(mark) != 1 or END not in content.split(mark)[1]:
        raise InputError(f"the page has not the two lines {mark!r} and {END!r}, between which the table goes")
    head, rest = content.split(mark)
    inside, rest = rest.split(END, 1)
    return head, inside, rest
