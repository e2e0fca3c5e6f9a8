"""Tables as text; as HTML they are in the gallery."""

from __future__ import annotations

from nbprobe.views.charts import interval_bar
from nbprobe.views.tables import ROWS, Column, Table

COLUMNS = (Column("name"), Column("hits", "right"))


def test_columns_are_aligned() -> None:
    table = Table(COLUMNS, (("fib", "1,000"), ("名前", "7")))
    assert table.text().splitlines() == [
        "name   hits",
        "fib   1,000",
        "名前      7",
    ]


def test_rows_are_capped() -> None:
    rows = [(f"row {index}", str(index)) for index in range(ROWS + 5)]
    table = Table.capped(COLUMNS, rows, 1_234_567)
    lines = table.text().splitlines()
    assert len(lines) == ROWS + 2
    assert lines[-1] == "and 1,234,517 more"


def test_nothing_is_said_when_all_rows_are_there() -> None:
    table = Table.capped(COLUMNS, [("x", "1")], 1)
    assert table.remainder == ""
    assert len(table.text().splitlines()) == 2


def test_pictures_are_for_html_only() -> None:
    table = Table((*COLUMNS, Column("bar")), (("x", "1", interval_bar(1, 1, 1, 1)),))
    assert table.text().splitlines() == ["name  hits", "x        1"]
