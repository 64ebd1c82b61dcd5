"""A CSV file holds no formula: ids, paths and reasons in it were written by others."""

from __future__ import annotations

import ast
import csv
import io
import unicodedata
from pathlib import Path

import pytest

import mcp_cxr
from mcp_cxr.csv_writer import CsvWriter, csv_text

PACKAGE = Path(mcp_cxr.__file__).parent
SIGNS = "=+-@"
BLANKS = (" ", "\u00a0", "\u3000", "\u200b", "\ufeff", "\x00", "\x1b", "\u2028", "\x0b")
QUOTES = ("'", '"', "`", "\u201c", "\u2018", "\u00ab")


def cell(value: object) -> str:
    """Return a value as a reader of the file gets it."""
    ((found,),) = list(csv.reader(io.StringIO(csv_text(["column"], [[value]]), newline="")))[1:]
    return found


def alike(sign: str) -> list[str]:
    """Return every character that a program which normalizes text may read as `sign`."""
    return [char for char in map(chr, range(0x110000)) if unicodedata.normalize("NFKC", char)[:1] == sign]


@pytest.mark.parametrize("sign", SIGNS)
def test_a_formula_is_text_whatever_form_its_sign_has(sign: str):
    for char in alike(sign):
        assert cell(f"{char}HYPERLINK(1)") == f"'{char}HYPERLINK(1)"


@pytest.mark.parametrize("before", [*BLANKS, *QUOTES, " ' ", '""', "\ufeff\u3000'"])
def test_a_formula_after_blanks_and_quotes_is_text(before: str):
    assert cell(f"{before}=1+1") == f"'{before}=1+1"
    assert cell(f"\t{before}=1+1") == f"'\t'{before}=1+1"


@pytest.mark.parametrize("text", ["\tx", "\rx", "\nx", "\u2212cmd", *SIGNS, "-1-1", "+1;2", "--1", "-1 ", "-inf"])
def test_a_text_that_a_spreadsheet_may_compute_is_text(text: str):
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize("separator", [";", "\t", "\n", "\r", "|"])
def test_a_formula_after_another_separator_is_text(separator: str):
    """A spreadsheet set to another separator divides a cell there."""
    assert cell(f"a{separator} =1+1") == f"a{separator}' =1+1"
    assert cell(f"a{separator}b=1+1") == f"a{separator}b=1+1"


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (-0.231, "-0.231"),
        (1, "1"),
        (None, ""),
        ("-0.231", "-0.231"),
        ("+3", "+3"),
        ("-1e-05", "-1e-05"),
        ("00012", "00012"),
        (float("-inf"), "'-inf"),
        ("02aa804e-bde0afdd", "02aa804e-bde0afdd"),
        ("1.2.840.113619", "1.2.840.113619"),
        ("/data/a=b, c.dcm", "/data/a=b, c.dcm"),
        ('say "a"', 'say "a"'),
    ],
)
def test_plain_numbers_and_harmless_texts_are_unchanged(value: object, read: str):
    assert cell(value) == read


def test_a_cell_stays_one_cell_whatever_is_in_it():
    row = ["a\nb", 'c",=1', "d,e", "f\r\ng"]
    assert list(csv.reader(io.StringIO(csv_text(["1", "2", "3", "4"], [row]), newline="")))[1] == row


def test_column_names_are_disarmed_too():
    file = io.StringIO(newline="")
    CsvWriter(file, ["=a"])
    assert file.getvalue() == "'=a\r\n"


def test_nothing_else_writes_csv():
    writing = {path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py") if writers(path.read_text())}
    assert writing == {"csv_writer.py"}


def writers(source: str) -> list[str]:
    """Return what a source uses to write CSV."""
    writing = {"writer", "DictWriter", "to_csv", "savetxt", "write_csv"}
    found: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and (node.attr in writing - {"writer"} or ast.unparse(node) == "csv.writer"):
            found.append(ast.unparse(node))
        if isinstance(node, ast.ImportFrom) and node.module in {"csv", "_csv"}:
            found += [alias.name for alias in node.names if alias.name in {*writing, "*"}]
        if isinstance(node, ast.Import):
            found += [
                alias.name for alias in node.names if alias.name == "_csv" or (alias.name == "csv" and alias.asname)
            ]
    return found


@pytest.mark.parametrize(
    "source",
    [
        "import csv\ncsv.writer(file)",
        "import csv\ncsv.DictWriter(file, [])",
        "from csv import writer",
        "from csv import *",
        "import csv as tables",
        "import _csv",
        "frame.to_csv(file)",
        "np.savetxt(file, rows)",
    ],
)
def test_another_way_to_write_csv_is_found(source: str):
    assert writers(source)
