"""A table of a command, put into a page of the documentation between the command's two marks."""

from __future__ import annotations

from pathlib import Path

from pynq_ee.errors import InputError
from pynq_ee.files import write_atomically

END = "<!-- end -->\n"


def begin(command: str) -> str:
    """The line behind which a command's text goes."""
    return f"<!-- begin: {command} -->\n"


def put(path: Path, command: str, text: str) -> None:
    """Put text between the two marks of a command in a file.

    Raises
    ------
    InputError
        A file without the marks.
    """
    mark = begin(command)
    content = path.read_text()
    if content.count(mark) != 1 or END not in content.split(mark)[1]:
        raise InputError(f"{path} has not the two lines {mark!r} and {END!r}, between which the table goes")
    head, rest = content.split(mark)
    write_atomically(path, (head + mark + text + "\n" + END + rest.split(END, 1)[1]).encode())
