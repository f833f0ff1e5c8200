"""BibTeX in and out: verbatim, and no fault passes in silence."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from review.bibtex import Entry, entry_text, parse, write

HIDDEN_ENTRY = "x}\n}\n@misc{evil,\n  title = {gotcha"


def test_entry_is_verbatim() -> None:
    text = '@Article{Key:1,\n  Title = {A {{B}} \\"{o} 100\\% $x_{1}$},\n  month = jul,\n  note = "quo{"}ted"\n}\n'
    (entry,) = parse(text).entries
    assert (entry.key, entry.entry_type) == ("Key:1", "article")
    assert entry.fields == (("Title", 'A {{B}} \\"{o} 100\\% $x_{1}$'), ("month", "jul"), ("note", 'quo{"}ted'))
    assert (entry.line, entry.lines) == (1, (2, 3, 4))


def test_string_stands_for_its_text() -> None:
    parsed = parse('@string{venue = "A Venue"}\n@misc{a, title = {T}, journal = venue}')
    assert not parsed.faults
    assert parsed.entries[0].fields == (("title", "T"), ("journal", "A Venue"))


@pytest.mark.parametrize(
    ("text", "line", "key", "reason"),
    [
        ("@misc{,\n title={x}}", 1, "", "no key"),
        ("<html>not found</html>", 1, "", "no BibTeX entry"),
        ("@misc{a,\n title={x},\n journal = foo}", 3, "a", "undefined @string 'foo'"),
        ("@misc{a,\n title={x},\n month = foo}", 3, "a", "undefined @string 'foo'"),
        ('@string{foo="F"}\n@misc{a,\n title = foo # " x"}', 3, "a", "joined with #"),
        ("@misc{a, title={x}}\n\n@misc{a, title={y}}", 3, "a", "second time"),
        ("@misc{a,\n title={x},\n title={y}}", 1, "a", "given twice: title"),
        ("@misc{a,\n title={x},\n Title={y}}", 3, "a", "given twice: title"),
        ("@misc{a, title={x}}\n@misc{b,\n title={unclosed", 2, "b", "cannot be read"),
        ("@misc{a,\n title={x}\n year={2000}}", 2, "a", "not closed"),
        ("@misc{a, title={x}}\n\n@foo bar", 3, "", "cannot be read"),
        ("@misc{a b, title={x}}", 1, "a b", "no spaces"),
    ],
)
def test_faults_name_line_key_and_reason(text: str, line: int, key: str, reason: str) -> None:
    (fault,) = parse(text, "x.bib").faults
    assert (fault.file, fault.line, fault.key) == ("x.bib", line, key)
    assert reason in fault.reason


def test_good_entries_of_a_bad_file_are_read_and_bad_keys_are_known() -> None:
    parsed = parse("@misc{a, title={x}}\n@misc{b,\n title={unclosed\n\n@misc{c, title={z}}\n")
    assert [entry.key for entry in parsed.entries] == ["a", "c"]
    assert parsed.failed_keys == {"b"}


def test_empty_file_holds_nothing() -> None:
    assert parse("\n") == parse("")
    assert not parse("").faults


@pytest.mark.parametrize("value", [HIDDEN_ENTRY, "open {", "close }", "}{", "escaped \\{ brace", "a}, note={b"])
def test_writer_refuses_what_would_be_read_as_something_else(value: str) -> None:
    with pytest.raises(ValueError, match="a: "):
        entry_text("a", "misc", [("title", value)])


@pytest.mark.parametrize("key", ["", "a b", "a,b", "a}b", "a\nb"])
def test_writer_refuses_a_hostile_key(key: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - any reason will do
        entry_text(key, "misc", [("title", "x")])


def test_writer_lists_every_refusal() -> None:
    entries = [Entry("a", "misc", (("title", "{"),)), Entry("b", "misc", (("title", "x"),)), Entry("c d", "misc", ())]
    with pytest.raises(ValueError) as refusal:  # noqa: PT011 - looked at below
        write(entries)
    assert [line.split(":")[0] for line in str(refusal.value).split("\n")] == ["a", "c d"]


names = st.text(string.ascii_letters, min_size=1, max_size=8)
values = st.recursive(
    st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters='{}@\\"'), max_size=12),
    lambda inner: st.lists(inner, min_size=1, max_size=3).map(lambda parts: "{" + " ".join(parts) + "}"),
    max_leaves=4,
)


@given(st.lists(st.tuples(names, values), max_size=5, unique_by=lambda pair: pair[0].lower()))
def test_what_is_written_is_read_back(fields: list[tuple[str, str]]) -> None:
    entry = Entry("key", "article", tuple(fields))
    (back,) = parse(write([entry])).entries
    assert (back.key, back.entry_type, back.fields) == (entry.key, entry.entry_type, entry.fields)
