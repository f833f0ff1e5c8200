"""The table of what is measured: for every address name of the site its representative and worst arguments.

A row is (name, arguments, query, roles); ``{word}`` in it is looked up in the facts of the database. A name without
arguments that has no row here is measured as it is, so that no new page stays out.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

STRANGER, CURATOR, SCREENER, OWNER = "stranger", "curator", "screener", "owner"
ALL, DESK = (STRANGER, OWNER), (CURATOR,)
# A broad word, a middling one and a rare one of the synthetic titles, several at once, and what nothing holds.
WORDS = ("model", "speculative", "{rare}", "attention+memory+model", "qqqqqqq", "mod", "%22large+language%22+-cache")

ROWS: list[tuple[str, tuple[str, ...], str, tuple[str, ...]]] = [
    ("home", (), "", ALL),
    ("taxonomy", (), "", ALL),
    ("taxonomy-class", ("{class}",), "", ALL),
    ("taxonomy-strategy", ("{strategy}",), "", ALL),
    ("techniques", (), "", ALL),
    ("techniques", (), "class=inference&exactness=lossy", (STRANGER,)),
    ("technique", ("{technique}",), "", ALL),
    ("technique", ("{unmeasured}",), "", (STRANGER,)),
    ("technique-code", ("{coded}",), "", (STRANGER,)),
    ("technique-history", ("{technique}",), "", (STRANGER,)),
    ("technique-report", ("{technique}",), "", (STRANGER,)),
    ("publications", (), "", ALL),
    ("publications", (), "page={last_publications}", (STRANGER,)),
    ("publications", (), "page=1000", (STRANGER,)),
    ("publications", (), "year=2023", (STRANGER,)),
    ("publications", (), "year=2023&year=2024&class=inference&membership=confirmed", (STRANGER,)),
    ("publications", (), "membership=reconstructed", (STRANGER,)),
    ("publications", (), "class=training", (STRANGER,)),
    *(("publications", (), f"q={word}", (STRANGER,)) for word in WORDS),
    ("publications", (), "q=model&year=2022&page=9", (STRANGER,)),
    ("publication", ("{publication}",), "", ALL),
    ("publication", ("{deep}",), "", (STRANGER,)),
    ("publication-history", ("{deep}",), "", (STRANGER,)),
    ("publication-history", ("{deep}",), "page=6", (STRANGER,)),
    *((f"publication-{kind}", ("{publication}",), "", (STRANGER,)) for kind in ("bib", "ris", "csl", "csv")),
    ("claims", (), "", ALL),
    ("claims", (), "page=4&sort=-gain", (STRANGER,)),
    ("claims", (), "class=inference&kind=speedup", (STRANGER,)),
    ("review", (), "", ALL),
    ("review-other", ("{review}",), "", ALL),
    ("review-other", ("{review}",), "page={last_ledger}", (STRANGER,)),
    ("review-flow-csv", ("{review}",), "", (STRANGER,)),
    *(("review-flow-box", ("{review}", box), "", (STRANGER,)) for box in ("identified", "removed", "screened",
      "excluded", "sought", "not-retrieved", "assessed", "reports-excluded", "included", "waiting-screening")),
    ("review-flow-box", ("{review}", "screened"), "page=30", (STRANGER,)),
    ("review-checklist", ("{review}",), "", (STRANGER,)),
    ("review-checklist-csv", ("{review}",), "", (STRANGER,)),
    ("review-checklist-md", ("{review}",), "", (STRANGER,)),
    *(("search", (), f"q={word}", (STRANGER,)) for word in WORDS),
    ("search", (), "", (STRANGER,)),
    ("runs", (), "", ALL),
    ("runs", (), "page={last_runs}", (STRANGER,)),
    ("runs", (), "page=100", (STRANGER,)),
    ("runs", (), "technique={technique}", (STRANGER,)),
    ("runs", (), "technique={technique}&status=succeeded&device={device}&size=cpu", (STRANGER,)),
    ("runs", (), "status=failed", (STRANGER,)),
    ("run", ("{run}",), "", ALL),
    ("run", ("{sampled}",), "", (STRANGER,)),
    ("run", ("{waiting}",), "", ALL),
    ("run-live", ("{run}",), "", (STRANGER,)),
    ("run-json", ("{sampled}",), "", (STRANGER,)),
    ("devices", (), "", ALL),
    ("device", ("{device}",), "", ALL),
    ("healthz", (), "", (STRANGER,)),
    ("metrics", (), "", (OWNER,)),
    ("curate", (), "", (CURATOR, SCREENER, OWNER)),
    ("citations", (), "", DESK),
    ("citations", (), "q=model", DESK),
    ("citations", (), "q=model+attention", DESK),
    ("citations", (), "q={rare}", DESK),
    ("citations-json", (), "q=synthetic-00", DESK),
    ("citations-json", (), "q={rare}", DESK),
    ("duplicates", (), "", DESK),
    ("duplicates", (), "n=400&past=20", DESK),
    ("membership", ("{review}",), "", DESK),
    ("membership", ("{review}",), "status=all&page={last_ledger}", DESK),
    ("membership", ("{review}",), "status=confirmed&page=600", DESK),
    ("membership-reconcile", ("{review}",), "", DESK),
    ("screening", (), "", (CURATOR, SCREENER)),
    ("screening-review", ("{review}",), "", (CURATOR, SCREENER)),
    ("screening-retrieval", ("{review}",), "", (SCREENER,)),
    ("screening-conflicts", ("{review}",), "", DESK),
    ("screening-record", ("{review}", "{record}"), "", DESK),
    ("screening-read", ("{review}", "abstract"), "", (SCREENER,)),
    ("screening-read", ("{review}", "abstract"), "passed=300", (SCREENER,)),
    ("screening-read", ("{review}", "full-text"), "", (SCREENER,)),
    ("flow-import", ("{review}",), "", DESK),
    ("checklist-answer", ("{review}", "1"), "", DESK),
    ("admin:index", (), "", (CURATOR, OWNER)),
    ("admin:app_list", ("review",), "", (OWNER,)),
    ("admin:autocomplete", (), "app_label=review&model_name=membership&field_name=publication&term=model", (OWNER,)),
    ("admin:autocomplete", (), "app_label=review&model_name=publication&field_name=study&term=synthetic", (OWNER,)),
]  # fmt: skip
# Read whole and one after the other, not as pages: see streams.py.
STREAMS = (
    "publications-bib", "publications-ris", "publications-csl", "publications-csv", "publications-json", "claims-csv",
    "measurements-csv", "runs-feed",
)  # fmt: skip
# What only answers a POST, ends the session, or needs a key.
NO_PAGES = frozenset(
    [
        "logout",
        "login-link",
        "run-cancel",
        "technique-run",
        "article-preview",
        "duplicates-find",
        "duplicates-decide",
        "duplicates-take-back",
        "membership-settle",
        "screening-begin",
        "screening-decide",
        "screening-take-back",
        "admin:logout",
        "admin:view_on_site",
    ]
)
# Lists of the admin: the query of each, besides the plain first page and the last one.
LISTS = {
    "review_publication": ("q=model", "q={rare}", "year=2023", "memberships__status__exact=confirmed", "o=2"),
    "review_membership": ("q=model", "status__exact=confirmed", "o=4"),
    "review_study": ("q=synthetic-0099", "o=2"),
    "review_record": ("q={rare}", "removal__exact=duplicate"),
    "review_decision": ("stage__exact=abstract", "q=synthetic"),
    "reproductions_run": ("status__exact=failed", "q={technique}", "asked_at__year=2025"),
    "reproductions_measurement": ("q=time", "role__exact=method", "q={technique}"),
}
OF_A_ROW = ("change", "history", "delete", "simple_history")


@dataclass(frozen=True)
class Address:
    """One page as one role asks for it."""

    name: str
    path: str
    role: str


def table(facts: dict[str, Any]) -> Iterator[tuple[str, Address]]:
    """Every address to measure, with a key that is the same at every size of the database."""
    from django.urls import NoReverseMatch, reverse

    for name, arguments, query, roles in (*ROWS, *_admin(), *_others()):
        try:
            path = reverse(name, args=[str(one).format(**facts) for one in arguments])
            asked = f"?{query.format(**facts)}" if query else ""
        except (NoReverseMatch, KeyError):
            continue  # this database holds no such row
        for role in roles:
            key = " ".join((name, *arguments, query, role)).replace("  ", " ")
            yield key, Address(name, path + asked, role)


def names() -> list[tuple[str, bool]]:
    """Every name of the site, and whether its address takes arguments."""
    from django.urls import URLResolver, get_resolver

    def within(patterns: Any, space: str, taken: bool) -> Iterator[tuple[str, bool]]:
        for one in patterns:
            takes = taken or "<" in str(one.pattern)
            if isinstance(one, URLResolver):
                yield from within(one.url_patterns, space + (f"{one.namespace}:" if one.namespace else ""), takes)
            elif one.name:
                yield space + one.name, takes

    return list(within(get_resolver().url_patterns, "", False))


def _others() -> Iterator[tuple[str, tuple[str, ...], str, tuple[str, ...]]]:
    """Names without a row: measured where they take no arguments; those that take some are said."""
    told = {row[0] for row in ROWS} | set(STREAMS) | NO_PAGES
    for name, takes in names():
        if name in told or name.startswith("api:") or (name.startswith("admin:") and "_" in name):
            continue
        if takes:
            print(f"no row for {name}")
        else:
            yield name, (), "", (OWNER,)


def _admin() -> Iterator[tuple[str, tuple[str, ...], str, tuple[str, ...]]]:
    """The lists and records of every model of ours in the admin."""
    from django.contrib import admin

    for model in admin.site._registry:
        label = f"{model._meta.app_label}_{model._meta.model_name}"
        if model._meta.app_label not in {"review", "techniques", "reproductions", "auth"}:
            continue
        known = {name for name, _ in names()}
        yield f"admin:{label}_changelist", (), "", (OWNER,)
        yield f"admin:{label}_changelist", (), f"p={{last_{label}}}", (OWNER,)
        for query in LISTS.get(label, ()):
            yield f"admin:{label}_changelist", (), query, (OWNER,)
        for page in ("add", "deleted"):
            if f"admin:{label}_{page}" in known:
                yield f"admin:{label}_{page}", (), "", (OWNER,)
        for page in OF_A_ROW:
            if f"admin:{label}_{page}" in known:
                more = (f"{{version_{label}}}",) if page == "simple_history" else ()
                yield f"admin:{label}_{page}", (f"{{row_{label}}}", *more), "", (OWNER,)
