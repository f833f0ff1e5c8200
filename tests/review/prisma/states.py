"""Random states of screening as plain data, and the same put into the database."""

import random
from dataclasses import dataclass, field

from review.models import Criterion, Decision, Publication, Record, Review, Search, Study
from tests import factories

KINDS = ("database", "register", "website", "organisation", "citations")


@dataclass
class Said:
    stage: str
    who: str
    verdict: str
    reason: str | None = None
    final: bool = False


@dataclass
class Hit:
    source: str
    kind: str
    study: int
    removal: str = ""
    retrieval: str = ""
    said: list[Said] = field(default_factory=list)


@dataclass
class State:
    screeners: int
    sources: list[tuple[str, str, int | None]]
    hits: list[Hit]


def state(seed: int, size: int = 30) -> State:
    """Anything that can happen, also what should not: reports retrieved before a verdict, a third opinion."""
    rng = random.Random(seed)
    count = rng.randint(1, 5)
    sources = [(f"Source {n}", rng.choice(KINDS), rng.choice((None, 3, 40))) for n in range(count)]
    hits = [_hit(rng, sources) for _ in range(rng.randint(1, size))]
    return State(rng.choice((1, 2)), sources, hits)


def _hit(rng: random.Random, sources: list[tuple[str, str, int | None]]) -> Hit:
    source, kind, _ = rng.choice(sources)
    hit = Hit(source, kind, rng.randint(1, 12))
    if rng.random() < 0.2:
        hit.removal = rng.choice(("duplicate", "automation", "other"))
    hit.retrieval = rng.choice(("", "sought", "retrieved", "retrieved", "retrieved", "not-retrieved"))
    for stage in ("abstract", "full-text"):
        who = rng.sample(("ann", "bo", "cy"), rng.choice((0, 1, 2, 2, 2, 2, 3)))
        likely = rng.choice(("include", "include", "exclude"))
        for name in who:
            verdict = likely if rng.random() < 0.85 else rng.choice(("include", "exclude"))
            hit.said.append(_said(rng, stage, name, verdict, False))
        if who and rng.random() < 0.15:
            hit.said.append(_said(rng, stage, "dee", rng.choice(("include", "exclude")), True))
    return hit


def _said(rng: random.Random, stage: str, who: str, verdict: str, final: bool) -> Said:
    return Said(stage, who, verdict, rng.choice(("topic", "design", "date")) if verdict == "exclude" else None, final)


def stored(plain: State, slug: str = "living") -> Review:
    """The state as rows. Every record has a publication of its own, in a study that it may share."""
    review = factories.review(slug=slug, title="A living systematic review", screeners=plain.screeners)
    searches = {
        (name, kind): Search.objects.create(review=review, slug=f"{slug}-s{n}", source=name, kind=kind, hits=hits)
        for n, (name, kind, hits) in enumerate(plain.sources)
    }
    reasons = {
        name: Criterion.objects.create(review=review, slug=f"{slug}-{name}", kind="exclusion", name=f"Wrong {name}")
        for name in ("topic", "design", "date")
    }
    studies = {n: Study.objects.create(slug=f"{slug}-study-{n}") for n in range(1, 13)}
    papers = Publication.objects.bulk_create(
        Publication(key=f"{slug}-p{n}", slug=f"{slug}-p{n}", title=f"Paper {n}", year=2024, study=studies[hit.study])
        for n, hit in enumerate(plain.hits)
    )
    records = Record.objects.bulk_create(
        Record(review=review, search=searches[hit.source, hit.kind], slug=f"{slug}-r{n}", publication=papers[n],
               removal=hit.removal, retrieval=hit.retrieval)
        for n, hit in enumerate(plain.hits)
    )  # fmt: skip
    Decision.objects.bulk_create(
        Decision(record=record, slug=f"{record.slug}-{n}", stage=said.stage, screener=said.who, verdict=said.verdict,
                 final=said.final, reason=reasons.get(said.reason or ""), decided_at=factories.NOON)
        for record, hit in zip(records, plain.hits, strict=True) for n, said in enumerate(hit.said)
    )  # fmt: skip
    return review
