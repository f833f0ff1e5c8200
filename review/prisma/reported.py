"""The flow as a review reported it: counts that a source states, everything else not reported, nothing worked out."""

from collections.abc import Iterable, Mapping
from typing import Any

from review.models import Review
from review.prisma.flow import DATABASES, OTHER, Arm, Box, Flow, Named, Numbers, Part, arm

OF_DATABASES = (("Databases", "database_results"), ("Registers", "register_results"))
OF_OTHERS = (("Websites", "website_results"), ("Organisations", "organisation_results"),
             ("Citation searching", "citations_results"))  # fmt: skip
REMOVED = (("Duplicates", "duplicates"), ("By automation tools", "excluded_automatic"),
           ("For other reasons", "excluded_other"))  # fmt: skip
OTHER_KEYS = (*(key for _, key in OF_OTHERS), "other_sought_reports", "other_notretrieved_reports", "other_assessed",
              "other_excluded")  # fmt: skip


def numbers_of(review: Review) -> dict[str, int | Named]:
    """What is reported, by key. The review's own columns count before what a table brought in."""
    told: dict[str, int | Named] = {}
    for key, value in review.reported_flow.items():
        if isinstance(value, int) and not isinstance(value, bool):
            told[key] = value
        elif isinstance(value, list):
            told[key] = [(str(name), int(count)) for name, count in _pairs(value)]
    if review.records_identified is not None:
        told["our_identified"] = review.records_identified
    if review.studies_included is not None:
        told["new_studies"] = review.studies_included
    return told


def _pairs(value: list[Any]) -> list[tuple[str, int]]:
    pairs = [tuple(one) for one in value if isinstance(one, list | tuple) and len(one) == 2]
    return [(name, count) for name, count in pairs if isinstance(count, int)]


def source_of(review: Review) -> str:
    """The address at which the numbers were read."""
    return str(review.reported_flow.get("source") or review.protocol_source)


def reported(review: Review) -> Flow:
    """The flow of ``review`` from what it reported. No query."""
    numbers = numbers_of(review)
    notes = tuple(note for note in (databases(review), window(review)) if note)
    arms = [_arm(DATABASES, numbers, notes)]
    if any(key in numbers for key in OTHER_KEYS):
        arms.append(_arm(OTHER, numbers))
    return Flow(
        tuple(arms),
        studies("included", "Studies included", numbers, "new") or Box("included", "Studies included"),
        studies("previous", "Studies of the previous version", numbers, "previous"),
        studies("total", "Studies in all", numbers, "total"),
        numbers,
        source=source_of(review),
    )


def _arm(start: str, numbers: Numbers, notes: tuple[str, ...] = ()) -> Arm:
    excluded = numbers.get("other_excluded" if start else "dbr_excluded")
    if start:
        identified = _parts(OF_OTHERS, numbers)
    else:
        specific = [numbers.get(key) for key in ("database_specific_results", "register_specific_results")]
        listed = [Part(name, n) for one in specific if isinstance(one, list) for name, n in one]
        identified = (*_parts(OF_DATABASES, numbers), *listed)
    parts = {
        "identified": identified,
        "removed": () if start else _parts(REMOVED, numbers),
        "reports-excluded": tuple(Part(name, n) for name, n in excluded) if isinstance(excluded, list) else (),
    }
    return arm(start, numbers, parts, notes=notes)


def _parts(named: Iterable[tuple[str, str]], numbers: Numbers) -> tuple[Part, ...]:
    found = ((name, numbers.get(key)) for name, key in named)
    return tuple(Part(name, count) for name, count in found if isinstance(count, int))


def studies(slug: str, words: str, numbers: Mapping[str, Any], which: str, notes: tuple[str, ...] = ()) -> Box | None:
    """A box of studies with the number of their reports; ``None`` where neither is known."""
    count, reports = numbers.get(f"{which}_studies"), numbers.get(f"{which}_reports")
    if count is None and reports is None:
        return None
    return Box(slug, words, count, () if reports is None else (Part("Reports of them:", reports),), notes)


def window(review: Review) -> str:
    """The time that was searched, as far as it is reported: ``2017 to 2023-12``."""
    return " to ".join(str(end) for end in (review.first_year, review.last_month) if end)


def databases(review: Review) -> str:
    """How many databases were searched: ``5 databases``; empty where it is not reported."""
    return "" if review.databases is None else f"{review.databases} databases"
