"""Values that a question may hold. Each says in the document exactly what it lets in."""

from datetime import UTC, datetime
from typing import Annotated, Any

from ninja import Path
from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, StringConstraints

MOST_VALUES = 20
LONGEST = 200
# A word of the catalogue: no database can hold the character that is left out.
Word = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST, pattern=r"^[^\x00]+$")]


def repeated(description: str, **more: Any) -> Any:
    """A filter that can be given several times: any of its values will do."""
    return Field([], max_length=MOST_VALUES, description=f"{description} Repeatable: any of them.", **more)


def _moment(value: Any) -> Any:
    # A number would be read as seconds since 1970, which the document does not offer.
    if isinstance(value, str) and "-" not in value[1:]:
        raise ValueError("a moment is written like 2026-01-31T12:00:00Z")
    return value


def _universal(value: datetime) -> datetime:
    """In UTC; what lies before the first year or after the last is as good as the first or the last."""
    try:
        return value.astimezone(UTC)
    except OverflowError:
        return (datetime.min if value.year < 2 else datetime.max).replace(tzinfo=UTC)


Moment = Annotated[AwareDatetime, BeforeValidator(_moment), AfterValidator(_universal)]


def _yes_or_no(value: Any) -> Any:
    if isinstance(value, str) and value not in {"true", "false"}:
        raise ValueError("write true or false")
    return value


Yes = Annotated[bool, BeforeValidator(_yes_or_no)]


def called(example: str) -> Any:
    """The name of a record in its address; the document shows ``example``."""
    return Path(..., description="The record's `slug`.", example=example)
