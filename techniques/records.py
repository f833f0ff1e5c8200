"""The kinds of record of the second floor."""

from review.kinds import Kind, Rows
from techniques.models import (
    Challenge,
    Claim,
    Response,
    Source,
    Strategy,
    Technique,
    TechniqueClass,
    TechniquePublication,
    TechniqueRelation,
)

_NODE = ("name", "definition", "position")
SOURCE = Kind("source", Source, "slug", ("name", "url"))
CLASS = Kind("class", TechniqueClass, "slug", _NODE, {"source": "source"})
RESPONSE = Kind("response", Response, "slug", _NODE, {"source": "source"})
CHALLENGE = Kind("challenge", Challenge, "slug", _NODE, {"source": "source"})
STRATEGY = Kind("strategy", Strategy, "slug", _NODE, {"source": "source", "parent": "strategy"})
TECHNIQUE = Kind(
    "technique",
    Technique,
    "slug",
    columns=(
        "name", "named", "wave", "idea", "implementation", "article", "note", "official_code",
        "speed_effect", "speed_text", "memory_effect", "memory_text", "accuracy_effect", "accuracy_text",
        "retraining", "retraining_text", "exactness", "hardware", "hardware_text", "saves",
    ),
    links={"technique_class": "class"},
    many={"strategies": "strategy", "responses": "response", "challenges": "challenge"},
    rows={
        "publications": Rows(TechniquePublication, "technique", {"publication": "publication"}, ("role",)),
        "related": Rows(TechniqueRelation, "technique", {"other": "technique"}, ("kind", "note")),
    },
)  # fmt: skip
CLAIM = Kind(
    "claim",
    Claim,
    "slug",
    columns=(
        "metric", "kind", "qualifier", "value_low", "value_high", "unit", "comparator", "workload", "hardware",
        "place", "source_url", "like_for_like", "tolerance",
    ),
    links={"technique": "technique", "publication": "publication"},
)  # fmt: skip
# Each kind after those that it points at.
KINDS = (SOURCE, CLASS, RESPONSE, CHALLENGE, STRATEGY, TECHNIQUE, CLAIM)
