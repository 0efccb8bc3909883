"""A command's table replaces what stands between its marks, and nothing else."""

from __future__ import annotations

import pytest

from pynq_ee.bench import pages
from pynq_ee.errors import InputError


def test_the_table_replaces_what_stands_between_the_marks(tmp_path):
    page = tmp_path / "page.md"
    around = "before\n{}{}<!-- end -->\nafter\n<!-- begin: another -->\nkept\n<!-- end -->\n"
    begin = "<!-- begin: command -->\n"
    page.write_text(around.format(begin, "old\n"))
    for _ in range(2):
        pages.put(page, "command", "| table |")
    assert page.read_text() == around.format(begin, "| table |\n")


@pytest.mark.parametrize("text", ["nothing here\n", "<!-- begin: command -->\nno end\n"])
def test_a_page_without_marks_is_refused(tmp_path, text):
    page = tmp_path / "page.md"
    page.write_text(text)
    with pytest.raises(InputError, match="between which the table goes"):
        pages.put(page, "command", "table")
    assert page.read_text() == text


def test_a_command_publishes_what_it_found_in_a_page_and_at_the_prompt(tmp_path, capsys):
    page = tmp_path / "page.md"
    page.write_text(f"{pages.begin('command')}{pages.END}")
    parser = pages.parser("command", "Counts.\n\nMore.", "examples:")
    for arguments, shown in (([], "| table |\n"), (["--json"], "[\n  1\n]\n")):
        pages.publish(pages.parsed(parser, [*arguments, "--write", str(page)]), "command", "| table |", [1])
        assert capsys.readouterr().out == shown
        assert page.read_text() == f"{pages.begin('command')}| table |\n{pages.END}"
    assert "Counts.\n" in parser.format_help() and "More." not in parser.format_help()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file"),
        (b"nothing here\n", "between which the table goes"),
        (b"\xff\xfe" * 9, "is no page of text"),
    ],
)
def test_a_page_without_a_place_for_the_table_is_refused_before_the_work(tmp_path, content, reason):
    page = tmp_path / "page.md"
    if content is not None:
        page.write_bytes(content)
    with pytest.raises((OSError, InputError), match=reason):
        pages.parsed(pages.parser("command", "Counts.", ""), ["--write", str(page)])


def test_the_marks_may_be_those_of_the_options(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"{pages.begin('command --json')}{pages.END}")
    arguments = ["--json", "--write", str(page)]
    assert pages.parsed(pages.parser("command", "Counts.", ""), arguments, lambda _: "command --json").write == page


def test_a_file_that_cannot_be_written_is_refused_before_the_work(tmp_path):
    parser = pages.parser("command", "Counts.", "")
    with pytest.raises(OSError, match="directory"):
        pages.parsed(parser, ["--write", str(tmp_path)])
