"""A table of a command, put into a page of the documentation between the command's two marks."""

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
    mark = begin(command)
    if content.count(mark) != 1 or END not in content.split(mark)[1]:
        raise InputError(f"the page has not the two lines {mark!r} and {END!r}, between which the table goes")
    head, rest = content.split(mark)
    return head + mark + text + "\n" + END + rest.split(END, 1)[1]


def put(path: Path, command: str, text: str) -> None:
    """Replace the text between the two marks of a command in a file; errors as :func:`replaced`."""
    write_atomically(path, replaced(path.read_text(), command, text).encode())
