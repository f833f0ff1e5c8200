"""The first address of the API: where everything is."""

from django.conf import settings
from django.http import HttpRequest
from ninja import Field, Router, Schema

from reproductions.api.links import Links
from reproductions.api.problems import answers

router = Router(tags=["Start"])
LISTS = (
    "publications", "techniques", "taxonomy", "classes", "strategies", "responses", "challenges", "claims", "runs",
    "measurements", "devices",
)  # fmt: skip


class Start(Schema):
    """Where everything is."""

    version: str = Field(description="Of the atlas.")
    document: str = Field(description="The OpenAPI document.")
    docs: str = Field(description="The same for people.")
    lists: dict[str, str] = Field(description="The address of each list.")


@router.get("/", response=answers(Start), url_name="start", summary="See where everything is")
def start(request: HttpRequest) -> dict[str, object]:
    """The addresses of all lists."""
    links = Links(request)
    return {
        "version": settings.VERSION,
        "document": links.api("document"),
        "docs": links.api("docs"),
        "lists": {name: links.api(name) for name in LISTS},
    }
