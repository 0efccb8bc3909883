"""A table of a command, put into a page of the documentation between the command's two marks, and read from there.

And what such commands have in common: their options, and where their findings go.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pynq_ee.bench import programs
from pynq_ee.errors import InputError
from pynq_ee.files import check_way_out, write_atomically

END = "<!-- end -->\n"


def parser(command: str, description: str | None, examples: str) -> argparse.ArgumentParser:
    """The parser of a program that writes a table, with the options ``--write`` and ``--json``."""
    made = programs.parser(command, description, examples)
    made.add_argument("--write", type=Path, help="put the table into this file, between its marks")
    made.add_argument("--json", action="store_true", help="print JSON instead of a table")
    return made


def parsed(
    made: argparse.ArgumentParser,
    arguments: Sequence[str] | None,
    command: Callable[[argparse.Namespace], str] | None = None,
) -> argparse.Namespace:
    """The options of such a parser; a page that has no place for the table is refused before anything is measured.

    ``command`` gives the one of the marks; None: the parser's program.
    """
    options = made.parse_args(arguments)
    if options.write:
        check(options.write, command(options) if command else made.prog)
    return options


def check(path: Path, command: str) -> None:
    """See that a page can be written and has a command's marks; errors as :func:`put`."""
    check_way_out(path)
    _parts(content(path), command)


def publish(options: argparse.Namespace, command: str, text: str, record: Any) -> None:
    """What was found: into the file that was named, if one was; and printed, as text or as JSON."""
    if options.write:
        put(options.write, command, text)
    print(json.dumps(record, indent=2) if options.json else text)


def begin(command: str) -> str:
    """The line behind which a command's text goes."""
    return f"<!-- begin: {command} -->\n"


def content(path: Path) -> str:
    """What stands in a page.

    Raises
    ------
    InputError
        It is no text.
    """
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no page of text ({error}); name a Markdown file") from error


def replaced(page: str, command: str, text: str) -> str:
    """A page's content with the text between the two marks of a command replaced.

    Raises
    ------
    InputError
        Content without the marks.
    """
    head, _, rest = _parts(page, command)
    return head + begin(command) + text + "\n" + END + rest


def put(path: Path, command: str, text: str) -> None:
    """Replace the text between the two marks of a command in a file; errors as of :func:`content`, :func:`replaced`."""
    write_atomically(path, replaced(content(path), command, text).encode())


def rows(path: Path, command: str) -> list[list[str]]:
    """The cells of the table that a command has put into a file, without its header.

    Raises
    ------
    InputError
        A file without the marks, or without a table between them: the command is to be run with ``--write``.
    """
    lines = [line for line in _parts(content(path), command)[1].splitlines() if line.startswith("|")]
    if len(lines) < 3:
        raise InputError(f"{path} has no table of `{command}` yet; run it so that it writes one")
    return [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines[2:]]


def _parts(page: str, command: str) -> tuple[str, str, str]:
    """What stands before the first mark, between the two, and behind the second."""
    mark = begin(command)
    if page.count(mark) != 1 or END not in page.split(mark)[1]:
        raise InputError(f"the page has not the two lines {mark!r} and {END!r}, between which the table goes")
    head, rest = page.split(mark)
    inside, rest = rest.split(END, 1)
    return head, inside, rest
