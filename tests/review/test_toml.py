"""TOML read strictly, with lines, and written for people."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from review import toml_writing
from review.kinds import tidy
from review.toml_tables import TomlFile

TEXT = b"""\
title = "one"
count = "many"

[[node]]
slug = "a"
flag = 1

[[node]]
slug = "b"
wrods = ["x"]
words = ["y", "y", "z"]
[node.inner]
size = 1.5
deep = {x = 2}
"""


def read_all(text: bytes) -> TomlFile:
    source = TomlFile("f.toml", text)
    source.top.text("title")
    source.top.whole("count")
    for table in source.top.tables("node"):
        table.text("slug")
        table.flag("flag")
        table.words("words", ("x", "y"))
        inner = table.table("inner")
        inner.whole("size")
        deep = inner.table("deep")
        deep.finish()
        inner.finish()
        table.finish()
    source.top.finish()
    return source


def test_faults_name_file_table_key_and_line() -> None:
    assert [(fault.line, fault.key, fault.reason) for fault in read_all(TEXT).faults] == [
        (2, "count", "expected a whole number, found 'many'"),
        (6, "[node] a: flag", "expected true or false, found '1'"),
        (11, "[node] b: words", "unknown word 'z'; known: x, y"),
        (11, "[node] b: words", "the same word twice"),
        (13, "[node.inner]: size", "expected a whole number, found '1.5'"),
        (14, "[node.inner.deep]: x", "unknown key"),
        (10, "[node] b: wrods", "unknown key"),
    ]


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        (b"a = 1\nb = = 2\n", 2, "not TOML"),
        (b"a = 1\na = 2\n", 2, "not TOML"),
        (b'a = "\xe9"\n', None, "not UTF-8"),
    ],
)
def test_unreadable_file_is_one_fault(text: bytes, line: int | None, reason: str) -> None:
    source = TomlFile("f.toml", text)
    (fault,) = source.faults
    assert (fault.file, fault.line) == ("f.toml", line)
    assert reason in fault.reason
    assert source.top.values == {}


def test_tables_of_another_type_are_faults() -> None:
    source = TomlFile("f.toml", b"node = 3\nlist = [1]\ntable = []\n")
    assert source.top.tables("node") == []
    assert source.top.tables("list") == []
    assert source.top.table("table").values == {}
    assert source.top.words("list") == []
    assert [fault.line for fault in source.faults] == [1, 2, 3, 2]


def test_booleans_are_no_numbers() -> None:
    source = TomlFile("f.toml", b"a = true\nb = true\nc = 3\n")
    assert (source.top.whole("a"), source.top.number("b"), source.top.number("c")) == (None, None, 3.0)
    assert len(source.faults) == 2


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
scalars = st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | texts
whatever = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=6
)


def trimmed(value: object) -> object:
    return tidy(value) if isinstance(value, str) else value


@given(st.dictionaries(texts, whatever, max_size=4))
def test_what_is_written_is_read_back(pairs: dict[str, object]) -> None:
    back = tomllib.loads(toml_writing.lines(pairs))
    assert {key: trimmed(value) for key, value in back.items()} == {key: trimmed(v) for key, v in pairs.items()}


def test_layout() -> None:
    text = toml_writing.table("[[x]]", {"a": 3.0, "b": 0.5, "c": None, "d": {"e": "f"}, "g": ["h"], "i": "j\nk"})
    assert text == "[[x]]\na = 3\nb = 0.5\nd = {e = \"f\"}\ng = [\"h\"]\ni = '''\nj\nk\n'''\n"


def test_no_form_is_an_error() -> None:
    with pytest.raises(TypeError):
        toml_writing.value(object())
