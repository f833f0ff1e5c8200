"""The PRISMA 2020 checklist of a review: what the database can answer, what curators answered, else "not reported"."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from django.urls import reverse

from review.models import ChecklistAnswer, Criterion, Review
from review.prisma.flow import Flow
from review.prisma.items import ITEMS, Item
from review.screening.work import agreements

NOT_DONE = "not done by this software"
# What no page here works out: syntheses, certainty, bias. A review that has them says so itself.
_NOT_DONE = {
    "11",
    "12",
    "13a",
    "13b",
    "13c",
    "13d",
    "13e",
    "13f",
    "14",
    "15",
    "18",
    "20a",
    "20b",
    "20c",
    "20d",
    "21",
    "22",
}


@dataclass(frozen=True)
class Found:
    """What the database says to an item, and the page that shows it."""

    text: str
    address: str = ""
    link: str = ""


@dataclass(frozen=True)
class Entry:
    """One item with its answers."""

    item: Item
    found: Found | None
    answer: ChecklistAnswer | None
    not_done: bool = False

    @property
    def text(self) -> str:
        """All of it as plain text: the authors' words first."""
        said = [self.answer.text] if self.answer and self.answer.text else []
        said += [self.found.text] if self.found else []
        return "\n".join(said) or (NOT_DONE if self.not_done else "not reported")

    @property
    def place(self) -> str:
        """Where the report, or this site, has it."""
        own = self.answer.place if self.answer else ""
        return own or (self.found.address if self.found else "")


def entries(review: Review, flow: Flow) -> list[Entry]:
    """The whole checklist of ``review``. Four queries at most."""
    answers = {one.item: one for one in review.checklist_answers.all()}
    found = dict(_counted(review, flow) if flow.counted else _reported(review, flow))
    return [
        Entry(item, found.get(item.number), answers.get(item.number), flow.counted and item.number in _NOT_DONE)
        for item in ITEMS
    ]


def _box(review: Review, slug: str) -> str:
    return reverse("review-flow-box", args=[review.slug, slug])


def _both(review: Review) -> Iterator[tuple[str, Found]]:
    if "systematic review" in review.title.casefold():
        yield "1", Found(f"The title says so: {review.title}")
    if review.protocol_source and not review.published:
        yield "24b", Found("An account of the protocol", review.protocol_source, "protocol")


def _reported(review: Review, flow: Flow) -> Iterator[tuple[str, Found]]:
    """What public accounts of the review tell, which is less than the review itself does."""
    yield from _both(review)
    source = review.protocol_source
    if review.inclusion_criteria:
        yield "5", Found("; ".join(review.inclusion_criteria), source, "source")
    if review.sources_searched:
        yield "6", Found(f"{'; '.join(review.sources_searched)}. Dates of the searches: not reported", source, "source")
    if review.search_terms:
        yield "7", Found(f"Terms: {'; '.join(review.search_terms)}. Search strings: not reported", source, "source")
    if review.screening_tool:
        yield "8", Found(f"Screened with {review.screening_tool}. Number of screeners: not reported", source, "source")
    known = [box for box in flow.boxes() if box.known]
    if known:
        missing = sum(not box.known for box in flow.boxes())
        said = "; ".join(box.label for box in known)
        yield "16a", Found(f"{said}. {missing} boxes not reported", f"{review.get_absolute_url()}#h-prisma", "flow")
    if review.published:
        ledger = f"{review.get_absolute_url()}#ledger"
        yield "17", Found("The list of included studies is reconstructed in part", ledger, "membership ledger")


def _counted(review: Review, flow: Flow) -> Iterator[tuple[str, Found]]:
    yield from _both(review)
    page = review.get_absolute_url()
    criteria = list(review.criteria.all())
    if criteria:
        yield "5", Found("\n".join(_criteria(criteria)))
    searches = list(review.searches.all())
    if searches:
        dated = (f"{one.source}: {one.searched_on or 'date not reported'}" for one in searches)
        yield "6", Found("\n".join(dated), _box(review, "identified"), "records by source")
        asked = (f"{one.source}: {one.query or 'not reported'}" for one in searches)
        yield "7", Found("\n".join(asked))
    yield "8", Found(_selection(review, flow))
    yield "16a", Found("\n".join(_flow(flow)), f"{page}#h-prisma", "flow")
    reasons = "\n".join(_left_out(flow))
    yield "16b", Found(reasons or "No report was excluded so far", _box(review, "reports-excluded"), "excluded reports")
    count = flow.numbers.get("new_reports")
    yield "17", Found(f"{count} reports, each with a page of its own", _box(review, "included"), "included reports")
    link = reverse("publications-csv")
    yield "27", Found("Publications, flow and checklist can be had as files", link, "publications as CSV")


def _flow(flow: Flow) -> Iterator[str]:
    """A line for each step, arm by arm."""
    for arm in flow.arms:
        yield f"{arm.name}:"
        for row in arm.rows:
            yield f"{row.kept.label}; {row.left_out.label[0].lower()}{row.left_out.label[1:]}"
    yield from (box.label for box in (flow.included, flow.previous, flow.total) if box)


def _left_out(flow: Flow) -> Iterator[str]:
    """Why reports were excluded, over all arms."""
    reasons = Counter[str]()
    for arm in flow.arms:
        reasons.update({part.name: part.count for part in arm.rows[-1].left_out.parts})
    for name, count in reasons.most_common():
        yield f"{name}: {count}"


def _criteria(criteria: list[Criterion]) -> Iterator[str]:
    for one in criteria:
        yield f"{one.get_kind_display().capitalize()}: {one.name}{f' ({one.text})' if one.text else ''}"


def _selection(review: Review, flow: Flow) -> str:
    who = "Two screeners, each blind to the other until both have decided; a conflict is resolved by a further decision"
    said = [who if review.screeners == 2 else "One screener", "Title and abstract first, then the full text"]
    automatic = flow.numbers.get("excluded_automatic")
    said.append(
        f"{automatic} records removed by automation tools"
        if automatic
        else "No record was removed by an automation tool"
    )
    return "\n".join([". ".join(said), *_agreement(review)])


def _agreement(review: Review) -> Iterator[str]:
    """How well the screeners agree, stage by stage and pair by pair; nobody is named."""
    for pair in agreements(review) if review.screeners == 2 else ():
        if pair.found.kappa is not None:
            yield f"Agreement at {pair.stage}: Cohen's kappa {pair.found.kappa:.2f} ({pair.found.n} records)"


def as_rows(shown: list[Entry], site: str) -> Iterator[dict[str, str]]:
    """The checklist as rows of a table; ``site`` goes before the addresses of our own pages."""
    for entry in shown:
        item = entry.item
        yield {
            "item": item.number,
            "section": item.section,
            "topic": item.topic,
            "answer": entry.text,
            "place": entry.place,
        }


def _full(place: str, site: str) -> str:
    return f"{site}{place}" if place.startswith("/") else place


def as_markdown(review: Review, shown: list[Entry], site: str) -> str:
    """The checklist as a Markdown document."""
    lines = [f"# PRISMA 2020 checklist: {_cell(review.title)}", ""]
    lines += ["| Item | Asks for | Answer | Where |", "| --- | --- | --- | --- |"]
    for entry in shown:
        cells = (entry.item.number, entry.item.topic, entry.text, _full(entry.place, site))
        lines.append(f"| {' | '.join(_cell(one) for one in cells)} |")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
    return "<br>".join(escaped.splitlines())
