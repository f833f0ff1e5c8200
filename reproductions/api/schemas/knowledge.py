"""Publications, taxonomy, techniques and claims, as the API shows them."""

from datetime import datetime
from typing import Any

from ninja import Field, Schema

from reproductions import judging
from reproductions.api.paging import Page
from reproductions.api.schemas.choices import (
    ClaimKind,
    EffectWord,
    Exactness,
    MembershipStatus,
    PublicationRole,
    Qualifier,
    RelationKind,
    Retraining,
)

UPDATED = "When it last changed; null where it stands as it did when its history began."


class Named(Schema):
    """Something with a name and a record of its own."""

    slug: str
    name: str
    url: str = Field(description="Its address in the API.")


class Shown(Schema):
    """What every record has."""

    slug: str = Field(description="Its name in addresses.")
    url: str = Field(description="Its address in the API.")
    page: str = Field(description="The address of its page for people.")
    updated: datetime | None = Field(description=UPDATED)


class Membership(Schema):
    """How a publication stands to a review."""

    review: str = Field(description="The review's slug.")
    published: bool = Field(description="Whether that is the published review; otherwise a living update.")
    status: MembershipStatus = Field(
        description="confirmed: a public source says so; reconstructed: we infer it; additional: not of the review."
    )
    evidence: str | None = Field(description="The address of the source that confirms it; null where none does.")
    reference_number: int | None = Field(description="Its number in the review's references; null: not known.")


class Role(Named):
    """A technique and what the publication is to it."""

    role: PublicationRole


class Publication(Shown):
    """One report of a study."""

    key: str = Field(description="The BibTeX key, verbatim.")
    type: str = Field(description="The BibTeX type.")
    title: str
    authors: list[str] = Field(description="Last, First, in order.")
    venue: str | None
    year: int | None
    doi: str | None
    arxiv: str | None = Field(description="The arXiv id.")
    link: str | None = Field(description="The publisher's address, as BibTeX has it.")
    membership: Membership | None = Field(description="In the published review; null: it is no member of it.")
    classes: list[str] = Field(description="The classes of its techniques.")
    techniques: list[Role]


class Stated(Schema):
    """A claim, in short."""

    slug: str
    url: str


class Report(Schema):
    """Another publication of the same study."""

    slug: str
    title: str
    url: str


class PublicationRecord(Publication):
    """One report of a study, with all that hangs on it."""

    study: str = Field(description="Reports of one piece of work share it.")
    reports: list[Report] = Field(description="The other publications of the study.")
    memberships: list[Membership] = Field(description="In every review.")
    claims: list[Stated]
    bibtex: str | None = Field(description="The entry, every field verbatim; null where BibTeX cannot hold it.")


class Publications(Page):
    """A page of publications."""

    items: list[Publication]


class Label(Shown):
    """A class, response or challenge of the taxonomy."""

    name: str
    definition: str | None
    drawn_by: str = Field(description="Who drew it: the review's abstract, a public summary, or this catalogue (ours).")
    techniques: int = Field(description="How many techniques carry it.")


class Labels(Page):
    """A page of labels."""

    items: list[Label]


class Strategy(Label):
    """A node of the strategy tree. Its techniques are those of the whole branch, each once."""

    parent: str | None = Field(description="The slug of the node above; null at the top.")


class Strategies(Page):
    """A page of strategies."""

    items: list[Strategy]


class Branch(Strategy):
    """A strategy with what hangs below it."""

    children: list["Branch"]


class Taxonomy(Schema):
    """The whole taxonomy."""

    classes: list[Label]
    strategies: list[Branch] = Field(description="The tree, in the order of the catalogue.")
    responses: list[Label]
    challenges: list[Label]


class Effect(Schema):
    """What a technique does to one side of the trade."""

    effect: EffectWord | None
    text: str | None


class Technique(Shown):
    """One technique."""

    name: str
    technique_class: str = Field(description="training, inference or serving: the slug of its class.")
    idea: str = Field(description="The idea in one sentence.")
    named: bool = Field(description="Whether a public source names it as part of the review; else the label is ours.")
    strategies: list[str] = Field(description="Slugs.")
    responses: list[str] = Field(description="Slugs.")
    challenges: list[str] = Field(description="Slugs.")
    speed: Effect
    memory: Effect
    accuracy: Effect
    retraining: Retraining | None
    exactness: Exactness | None
    hardware: list[str]
    saves: list[str]
    implemented: bool = Field(description="Whether there is a reference implementation to run.")
    verdict: str = Field(description="The best that its claims got, as the page says it.")


class Paper(Schema):
    """A publication and what it is to the technique."""

    key: str
    title: str
    role: PublicationRole
    url: str


class Relation(Named):
    """Another technique and how this one stands to it; our suggestion."""

    kind: RelationKind
    note: str | None


class TechniqueRecord(Technique):
    """One technique, with its article and all that hangs on it."""

    article: str | None = Field(description="Markdown; formulas in dollars; [@key] cites a publication.")
    official_code: str | None = Field(description="The authors' own code; null: not reported.")
    publications: list[Paper]
    relations: list[Relation]
    claims: list[Stated]
    runs: str = Field(description="The address of its runs.")


class Techniques(Page):
    """A page of techniques."""

    items: list[Technique]


class Measured(Schema):
    """The measured figure that stands beside a claim, in the claim's terms."""

    value: float | None
    low: float | None = Field(description="The lower end of its 95 % interval; null: not measured.")
    high: float | None
    unit: str
    run: str | None = Field(description="The address of the run.")


class Verdict(Schema):
    """A claim held against what was measured."""

    word: str = Field(description=f"One of: {', '.join(one.word for one in judging.ALL)}.")
    note: str | None = Field(description="Why nothing is judged.")
    reasons: list[str] = Field(description="In what the nearest run is not like the claim.")
    measured: Measured | None = Field(description="Null: not measured.")


class Claim(Schema):
    """One headline figure of a paper about one technique."""

    slug: str
    url: str
    technique: Named
    publication: Report
    metric: str
    kind: ClaimKind
    qualifier: Qualifier | None
    value_low: float | None
    value_high: float | None
    unit: str
    gain_low: float | None = Field(description="As a factor over the comparator; null where it has no gain.")
    gain_high: float | None
    comparator: str | None
    workload: str | None
    hardware: str | None
    place: str | None = Field(description="Where in the paper.")
    source: str = Field(description="The address where it was read.")
    tolerance: float = Field(description="Of the verdict, as a share.")
    verdict: Verdict
    updated: datetime | None = Field(description=UPDATED)


class Remark(Schema):
    """What a curator has to say about the verdict."""

    text: str
    written: datetime


class ClaimRecord(Claim):
    """One claim, with its conditions and remarks."""

    like_for_like: dict[str, Any] = Field(description="What a measurement must satisfy to be like for like.")
    remarks: list[Remark]


class Claims(Page):
    """A page of claims."""

    items: list[Claim]
