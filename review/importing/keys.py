"""BibTeX keys for entries of formats that have none, and values that BibTeX can hold."""

import re
import unicodedata

_TEXT_TO_LATEX = str.maketrans(
    {sign: "\\" + sign for sign in "%&$#_{}"} | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}"}
)
_SKIPPED = {"a", "an", "the", "on", "of", "and", "for", "in", "to", "with"}


def key_of(given: str, authors: list[str], year: str, title: str) -> tuple[str, bool]:
    """The given key where BibTeX can have it, or family name, year and the first word that says something; and whether
    it is the given one."""
    given = given.strip()
    if given and not re.search(r"[\s{}()\\\"#%~,=]", given) and len(given) <= 200:
        return given, True
    family = authors[0].split(",")[0] if authors else "anon"
    words = [word for word in plain(title).split() if word not in _SKIPPED]
    return f"{plain(family).replace(' ', '')[:40] or 'anon'}{year[:4]}{(words or ['untitled'])[0][:40]}", False


def plain(text: str) -> str:
    """Letters and digits of ASCII, lower case."""
    ascii_ = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return " ".join(re.findall(r"[a-z0-9]+", ascii_))


def latex(text: str) -> str:
    """Plain text as the value of a BibTeX field."""
    return " ".join(text.split()).translate(_TEXT_TO_LATEX)


def names(authors: list[str]) -> str:
    """Names as one author field; a name that is no person's, or holds "and", in braces."""
    cleaned = [latex(name) for name in authors if name.strip()]
    return " and ".join(name if "," in name or " " not in name else f"{{{name}}}" for name in cleaned)
