"""The kinds of record of the first floor."""

from review.citation import shown_columns
from review.kinds import Content, Kind
from review.models import Criterion, Decision, Membership, Publication, Record, Review, Search, Study


def _shown(content: Content) -> Content:
    return shown_columns(content["fields"])


REVIEW = Kind(
    name="review",
    model=Review,
    key="slug",
    columns=(
        "published", "title", "authors", "venue", "year", "arxiv", "doi", "bibtex", "first_year", "last_month",
        "databases", "records_identified", "studies_included", "case_studies", "protocol_source", "sources_searched",
        "discovery_tools", "search_fields", "search_terms", "inclusion_criteria", "screening_tool", "licence_note",
        "screeners", "reported_flow",
    ),
)  # fmt: skip
STUDY = Kind(name="study", model=Study, key="slug", implied=True)
PUBLICATION = Kind(
    name="publication",
    model=Publication,
    key="key",
    columns=("entry_type", "fields"),
    links={"study": "study"},
    derived=_shown,
    slug_of_key=True,
)
MEMBERSHIP = Kind(
    name="membership",
    model=Membership,
    key=("review", "publication"),
    columns=("status", "evidence_url", "reference_number", "page", "note"),
    links={"review": "review", "publication": "publication"},
)
SEARCH = Kind(
    name="search",
    model=Search,
    key="slug",
    columns=("source", "kind", "query", "searched_on", "hits", "note"),
    links={"review": "review"},
)
CRITERION = Kind(
    name="criterion",
    model=Criterion,
    key="slug",
    columns=("kind", "name", "text", "position"),
    links={"review": "review"},
)
RECORD = Kind(
    name="record",
    model=Record,
    key="slug",
    columns=("removal", "removal_note", "retrieval", "retrieval_note"),
    links={"review": "review", "search": "search", "publication": "publication", "duplicate_of": "record"},
)
DECISION = Kind(
    name="decision",
    model=Decision,
    key="slug",
    columns=("stage", "screener", "final", "verdict", "note", "decided_at"),
    links={"record": "record", "reason": "criterion"},
)
# Each kind after those that it points at.
KINDS = (REVIEW, STUDY, PUBLICATION, MEMBERSHIP, SEARCH, CRITERION, RECORD, DECISION)
