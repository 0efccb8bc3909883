"""Tables in a page."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import Any

from IPython.display import HTML


def table(rows: Iterable[Sequence[Any]], header: Sequence[str] = (), *, caption: str = "") -> HTML:
    """Rows as a table; the caption says where the figures come from."""
    head = "".join(f"<th>{html.escape(name)}</th>" for name in header)
    body = "\n".join("<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return HTML(
        f"<table>\n{f'<caption>{html.escape(caption)}</caption>' if caption else ''}"
        f"{f'<thead><tr>{head}</tr></thead>' if head else ''}\n<tbody>\n{body}\n</tbody>\n</table>"
    )
