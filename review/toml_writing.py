"""A writer of TOML for files that people read: short lists and inline tables on one line, long text as it stands.

``tomli-w`` breaks every list over lines and gives each small table a header of its own.
"""

import json
from collections.abc import Mapping
from typing import Any


def value(given: Any) -> str:
    """One value on one line. Whole floats lose their point. Raises ``TypeError`` for what TOML has no form for."""
    if isinstance(given, bool):
        return "true" if given else "false"
    if isinstance(given, float) and given.is_integer() and abs(given) < 1e15:
        return str(int(given))
    if isinstance(given, int | float):
        return repr(given)
    if isinstance(given, str):
        return json.dumps(given, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(given, list | tuple):
        return f"[{', '.join(value(one) for one in given)}]"
    if isinstance(given, Mapping):
        inside = ", ".join(f"{_key(key)} = {value(one)}" for key, one in given.items())
        return f"{{{inside}}}"
    raise TypeError(f"no TOML for {given!r}")


def _is_long(given: Any) -> bool:
    """Text of several lines that can stand as it is; it comes back with one line end more, which readers trim."""
    if not isinstance(given, str) or "\n" not in given or "'''" in given:
        return False
    return all(sign.isprintable() or sign == "\n" for sign in given)


def _key(key: str) -> str:
    bare = key.isascii() and key.replace("-", "").replace("_", "").isalnum()
    return key if bare else value(key)


def lines(pairs: Mapping[str, Any]) -> str:
    """``key = value`` lines; what is ``None`` is left out."""
    shown = {key: f"'''\n{one}\n'''" if _is_long(one) else value(one) for key, one in pairs.items() if one is not None}
    return "".join(f"{_key(key)} = {text}\n" for key, text in shown.items())


def table(header: str, pairs: Mapping[str, Any]) -> str:
    """A table under ``header``, brackets included."""
    return f"{header}\n{lines(pairs)}"
