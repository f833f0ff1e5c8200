"""What is wrong in a data file: always a file, a line where one is known, the record and the reason."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """One fault. ``line`` counts from 1; ``key`` names the record, or the table and key, that is at fault."""

    file: str
    line: int | None
    key: str
    reason: str

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {self.key}: {self.reason}" if self.key else f"{place}: {self.reason}"

    @property
    def order(self) -> tuple[str, int, str, str]:
        """Sorts faults by file, then line."""
        return self.file, self.line or 0, self.key, self.reason


def decode(data: bytes) -> tuple[str, bool]:
    """``data`` as text with plain line ends, and whether it was UTF-8; what is not is read as Windows-1252."""
    try:
        text, utf8 = data.decode("utf-8-sig"), True
    except UnicodeDecodeError:
        text, utf8 = data.decode("cp1252", errors="replace"), False
    return text.replace("\r\n", "\n").replace("\r", "\n"), utf8
