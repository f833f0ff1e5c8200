"""Program text as safe HTML lines: keywords bold, comments and docstrings quiet, nothing else, for small pages."""

from functools import lru_cache
from html import escape

from django.utils.safestring import mark_safe
from pygments.lexers import PythonLexer
from pygments.token import Token, _TokenType

BOLD = (Token.Keyword, Token.Operator.Word)
QUIET = (Token.Comment, Token.Literal.String.Doc)


@lru_cache(maxsize=256)
def lines(code: str) -> tuple[str, ...]:
    """The lines of Python ``code``, each as HTML in which everything from the code is escaped."""
    finished: list[str] = []
    current = ""
    for kind, text in PythonLexer(stripnl=False, ensurenl=False).get_tokens(code):
        first, *rest = text.split("\n")
        current += _dressed(kind, first)
        for line in rest:
            finished.append(current)
            current = _dressed(kind, line)
    if current:
        finished.append(current)
    return tuple(finished)


def _dressed(kind: _TokenType, text: str) -> str:
    safe = escape(text, quote=False)
    if not text.strip():
        return safe
    if any(kind in group for group in QUIET):
        return f"<i>{safe}</i>"
    return f"<b>{safe}</b>" if any(kind in group for group in BOLD) else safe


@lru_cache(maxsize=256)
def numbered(code: str, first: int = 1, anchor: str = "") -> str:
    """``code`` as safe HTML with line numbers from ``first``; with ``anchor``, line 12 has the id ``anchor-12``."""
    rows = []
    for number, line in enumerate(lines(code), first):
        name = f' id="{escape(anchor)}-{number}"' if anchor else ""
        rows.append(f'<span class="ln"{name}>{number}</span>{line}')
    return mark_safe("\n".join(rows))  # noqa: S308 - lines() escapes everything that comes from the code
