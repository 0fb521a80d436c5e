"""Tables as people save them, and what is said about those that cannot be read."""

import pytest

from nas.datasets.columns import find_table, read_table
from nas.errors import InputError


def write(tmp_path, text, name="t.csv", encoding="utf-8"):
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_separators_marks_and_line_ends_of_spreadsheets(tmp_path, separator, encoding, end):
    text = end.join(["name;weight", '"a";1.5', "b;", " c ;NA", ""]).replace(";", separator)
    table = read_table(write(tmp_path, text, encoding=encoding))
    assert dict(table.columns) == {"name": ["a", "b", "c"], "weight": ["1.5", None, None]}
    assert table.place(1).endswith("t.csv, line 3")


def test_quoted_cells_may_hold_separators(tmp_path):
    table = read_table(write(tmp_path, 'name,note\na,"x, y"\n'))
    assert table.column("note") == ["x, y"]


def test_parquet_is_read_as_csv_is(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    columns = {"kind": ["a", None, "b"], "weight": [1.5, 2.0, None], "count": [1, 2, None]}
    parquet.write_table(pyarrow.table(columns), tmp_path / "t.parquet")
    table = read_table(tmp_path / "t.parquet")
    assert dict(table.columns) == {"kind": ["a", None, "b"], "weight": ["1.5", "2.0", None], "count": ["1", "2", None]}
    (tmp_path / "bad.parquet").write_bytes((tmp_path / "t.parquet").read_bytes()[:50])
    with pytest.raises(InputError, match=r"bad\.parquet: damaged"):
        read_table(tmp_path / "bad.parquet")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,2,3\n", "row 2 has 3 cells, and the first one 2"),
        ("a,a\n1,2\n", "several columns named 'a'"),
        ("a,b\n", "has no rows"),
        ("", "has no rows"),
    ],
)
def test_a_table_that_cannot_be_read_is_named(tmp_path, text, words):
    path = write(tmp_path, text)
    with pytest.raises(InputError) as raised:
        read_table(path)
    assert str(path) in str(raised.value)
    assert words in str(raised.value)


def test_bytes_that_are_no_text_name_their_line(tmp_path):
    with pytest.raises(InputError, match="line 3 is not UTF-8"):
        read_table(write(tmp_path, "a,b\n1,2\né,3\n", encoding="latin-1"))


def test_a_folder_has_one_table_or_its_name_is_given(tmp_path):
    with pytest.raises(InputError, match=r"must hold one table .* found none"):
        find_table(tmp_path, None)
    first = write(tmp_path, "a\n1\n", "a.csv")
    assert find_table(tmp_path, None) == first
    (tmp_path / "._a.csv").write_text("of macOS")
    assert find_table(tmp_path, None) == first
    write(tmp_path, "a\n1\n", "b.csv")
    with pytest.raises(InputError, match=r"found a\.csv, b\.csv; name it as `table`"):
        find_table(tmp_path, None)
    assert find_table(tmp_path, "b.csv").name == "b.csv"
    with pytest.raises(InputError, match="no such folder"):
        find_table(tmp_path / "none", None)


def test_an_unknown_column_lists_the_known_ones(tmp_path):
    with pytest.raises(InputError, match="there is no column 'c'; known are a, b"):
        read_table(write(tmp_path, "a,b\n1,2\n")).column("c")
