"""Atom feeds: the runs that ended last, and the changes of curated records."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from django.contrib.syndication.views import Feed
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.feedgenerator import Atom1Feed, get_tag_uri
from django.utils.html import escape
from django.views.decorators.http import condition, require_safe

from reproductions import wording
from reproductions.api import etags
from reproductions.api.links import Links
from reproductions.models import Run
from reproductions.queries import feeds as reading
from review.changes import Change

# The day in the names of the feeds themselves, which must never change.
BEGUN = datetime(2026, 1, 1, tzinfo=UTC)


class RunsFeed(Feed[Run, Any]):
    """The accepted runs that ended last, each with its headline or with what went wrong."""

    feed_type = Atom1Feed
    title = "Runs · LLM Acceleration Atlas"
    subtitle = "Runs of reference implementations as they end: the headline figure, or the reason why there is none."
    author_name = "LLM Acceleration Atlas"

    def get_object(self, request: HttpRequest) -> Any:
        """What every entry needs, read once."""
        found = reading.runs()
        return {"links": Links(request), "runs": found, "headlines": reading.headlines(found)}

    def link(self, shown: Any) -> str:
        """The list of runs."""
        return reverse("runs")

    def feed_guid(self, shown: Any) -> str:
        """One for ever."""
        return get_tag_uri(shown["links"].here("/runs/feed/"), BEGUN)

    def items(self, shown: Any) -> list[Run]:
        """The runs, each with its headline."""
        for run in shown["runs"]:
            run.headline, run.links = shown["headlines"].get(run.pk, ""), shown["links"]
        return list(shown["runs"])

    def item_title(self, run: Run) -> str:
        """What ran, where, and how it ended."""
        where = f" on {run.device.name}" if run.device else ""
        return f"{run.technique.short_name}, size {run.size}{where}: {run.get_status_display()}"

    def item_description(self, run: Run) -> str:
        """The headline, or the reason."""
        return escape(told(run))

    def item_guid(self, run: Run) -> str:
        """Its own for ever: the address and the day it was asked for."""
        return get_tag_uri(run.links.page(run), run.asked_at)  # type: ignore[attr-defined]

    def item_pubdate(self, run: Run) -> datetime:
        """When it ended."""
        return run.finished_at or run.asked_at

    def item_updateddate(self, run: Run) -> datetime:
        """The same: what has ended changes no more."""
        return self.item_pubdate(run)


def told(run: Run) -> str:
    """What became of a run, in a sentence or two."""
    if run.status != Run.Status.SUCCEEDED:
        return " ".join(filter(None, (run.error, run.advice))) or "No reason was recorded."
    headline = getattr(run, "headline", "")
    said = [f"{headline}." if headline else "No speed-up was measured in it."]
    if run.smoke:
        said.append("A smoke test, not a measurement.")
    if run.noisy:
        said.append(f"Noisy, so it gets no verdict. {run.noisy_reason}")
    return " ".join([*said, f"It took {wording.duration(run.seconds)}."])


class ChangesFeed(Feed[Change, Any]):
    """The changes of publications, techniques and claims."""

    feed_type = Atom1Feed
    title = "Changes · LLM Acceleration Atlas"
    subtitle = "What changed in publications, techniques and claims."
    author_name = "LLM Acceleration Atlas"

    def get_object(self, request: HttpRequest) -> Any:
        """What every entry needs, read once."""
        found = reading.changes()
        return {"links": Links(request), "changes": found, "addresses": reading.addresses(found)}

    def link(self, shown: Any) -> str:
        """The front page."""
        return reverse("home")

    def feed_guid(self, shown: Any) -> str:
        """One for ever."""
        return get_tag_uri(shown["links"].here("/changes/feed/"), BEGUN)

    def items(self, shown: Any) -> list[Any]:
        """Each change with where it leads and its own name for ever."""
        return [(change, *_place(change, shown)) for change in shown["changes"]]

    def item_title(self, item: Any) -> str:
        """What happened to which record."""
        return f"{item[0].record.capitalize()} {item[0].did}"

    def item_description(self, item: Any) -> str:
        """The columns that changed, the old and the new value where they are short."""
        return escape(described(item[0]))

    def item_link(self, item: Any) -> str:
        """The page of the record, or the list where it is gone."""
        return str(item[1])

    def item_guid(self, item: Any) -> str:
        """Its own for ever: the kind of record and the number of the change."""
        return str(item[2])

    def item_pubdate(self, item: Any) -> datetime:
        """When it happened."""
        moment: datetime = item[0].row.history_date
        return moment

    def item_updateddate(self, item: Any) -> datetime:
        """The same: a change never changes."""
        return self.item_pubdate(item)


def _place(change: Change, shown: Any) -> tuple[str, str]:
    row = change.row
    kind = change.record.split(" ", 1)[0]
    gone = change.did == "deleted"
    pages = {
        "publication": reverse("publications") if gone else reverse("publication", args=[row.slug]),
        "technique": reverse("techniques") if gone else reverse("technique", args=[row.slug]),
    }
    link = pages.get(kind) or shown["addresses"].get(row.technique_id) or reverse("claims")
    name = shown["links"].here(f"/changes/{kind}/{row.pk}")
    return link, get_tag_uri(name, row.history_date)


def described(change: Change) -> str:
    """What a change did, in words."""
    if change.did != "changed":
        return "From the catalogue’s files." if change.who == "the catalogue’s files" else change.did.capitalize() + "."
    lines = [f"{one.label}: {'rewritten' if one.pieces else f'{one.old} → {one.new}'}." for one in change.differences]
    return " ".join(lines) or "Saved without a change."


def _kept(feed: Callable[..., HttpResponse], *parts: Callable[[], object]) -> Callable[..., HttpResponse]:
    def tag(request: HttpRequest) -> str:
        return etags.tag(request.build_absolute_uri(), *(part() for part in parts))

    def view(request: HttpRequest) -> HttpResponse:
        response: HttpResponse = feed(request)
        response["Cache-Control"] = "public, no-cache"
        return response

    return require_safe(condition(etag_func=tag)(view))


runs = _kept(RunsFeed(), etags.curated, etags.ended)
changes = _kept(ChangesFeed(), etags.curated)
