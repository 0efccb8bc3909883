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
