"""What is wrong with an article is named with its line; the shipped articles are sound."""

from pathlib import Path

import pytest

from techniques import article_faults, markdown

ARTICLES = sorted((Path(__file__).resolve().parents[2] / "techniques/catalogue").glob("*/page.md"))


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("a\nb [@no] c", 2, "no publication has the key no"),
        ("a\n\n- one\n- two [@yes; @no]", 4, "the key no"),
        ("| a | b |\n|---|---|\n| c | [@no] |", 3, "the key no"),
        ("a\n[@no\n", 2, "does not end"),
        ("one\ntwo $\\frac{a}{$", 2, "a brace is not closed"),
        ("$a}$", 1, "not opened"),
        ("a\n\n$$\n\\foo{x}\n$$", 4, "unknown command \\foo"),
        ("$x^$", 1, "nothing follows"),
        ("$\\left( a$", 1, "\\left without \\right"),
        ("$\\text{<b>}$", 1, "write it outside"),
        (f"${'x' * 2001}$", 1, "longer than 2000"),
        ("a\n\n[[code:method.py:nothing]]", 3, "method.py has no function nothing"),
        ("a\n[[measured]]", 2, "stands alone"),
    ],
)
def test_each_fault_has_its_line(text: str, line: int, reason: str) -> None:
    (fault,) = article_faults.faults(text, {"yes"}, lambda file, name: name == "there")
    assert fault.line == line
    assert reason in fault.text


def test_the_second_of_two_alike_has_its_own_line() -> None:
    found = article_faults.faults("[@no] a\n[@yes] [@no] b", {"yes"})
    assert [str(one) for one in found] == [
        "Line 1: no publication has the key no", "Line 2: no publication has the key no",
    ]  # fmt: skip


def test_what_is_sound_or_stands_in_code_is_no_fault() -> None:
    text = (
        "[@yes] $\\frac{a}{b}$ \\$5 `[@no] $x^$`\n\n```\n[@no] [[code:x:y]]\n```\n\n[[code:m.py:there]]\n\n[[measured]]"
    )
    assert article_faults.faults(text, {"yes"}, lambda file, name: name == "there") == []


def test_the_shipped_articles_are_sound() -> None:
    for path in ARTICLES:
        text = path.read_text(encoding="utf-8")
        assert article_faults.faults(text, article_faults.cited(text)) == [], path.parent.name


@pytest.mark.parametrize("tex", ["", "\\", "{" * 900, "}" * 900, "\\left" * 300, "\0", "^" * 50, "\\begin{x}" * 100])
def test_hostile_formulas_raise_nothing(tex: str) -> None:
    assert isinstance(markdown.tex_fault(tex), str)
