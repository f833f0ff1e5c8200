"""The ledger as curators work on it: one entry at a time, or all of it against the review's own list."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from review import bibtex, membership
from review.faults import decode
from review.ledger import ledger as ledger_of
from review.models import Membership, Review
from review.queries import membership_counts

PAGE_LENGTH, LARGEST = 50, 1_000_000
curator = permission_required("review.change_membership", raise_exception=True)


@login_required
@curator
def ledger(request: HttpRequest, slug: str) -> HttpResponse:
    """Every entry with its evidence, and in each row the form that settles it."""
    review = get_object_or_404(Review, slug=slug)
    chosen = request.GET.get("status", Membership.Status.RECONSTRUCTED)
    counts = membership_counts(review)
    rows = ledger_of(review, counts, *({chosen} & set(Membership.Status.values)))
    page = Paginator(rows, PAGE_LENGTH).get_page(request.GET.get("page"))
    context = {"review": review, "page": page, "chosen": chosen, "counts": counts.items(), "ledger": rows}
    context["address"] = address_of(review)
    return render(request, "pages/membership.html", context)


def address_of(review: Review) -> str:
    """Where the review itself can be read: what most evidence points at."""
    if review.doi:
        return f"https://doi.org/{review.doi}"
    return f"https://arxiv.org/abs/{review.arxiv}" if review.arxiv else ""


@require_POST
@login_required
@curator
def settle(request: HttpRequest, slug: str, publication: int) -> HttpResponse:
    """Confirm an entry, or set it aside, with the place."""
    review, sent = get_object_or_404(Review, slug=slug), request.POST
    status = Membership.Status.CONFIRMED if "confirm" in sent else Membership.Status.ADDITIONAL
    try:
        place = membership.place_of(*(_text(sent, name) for name in ("address", "number", "page", "note")))
        member = membership.decide(review, publication, status, place, _text(sent, "seen") or None)
        messages.success(request, f"{member.publication.title}: {member.status}.")
    except (ValidationError, membership.Changed) as error:
        reasons = "; ".join(error.messages) if isinstance(error, ValidationError) else str(error)
        messages.error(request, f"Nothing was saved. {reasons}")
    shown = _text(sent, "shown")
    query = f"?status={shown}" if shown in Membership.Status.values else "?status=all"
    return redirect(reverse("membership", args=[slug]) + query)


def _text(sent: QueryDict, name: str) -> str:
    return sent.get(name, "").replace("\0", "")


@login_required
@curator
def reconcile(request: HttpRequest, slug: str) -> HttpResponse:
    """The review's own list, uploaded as BibTeX, beside the ledger; and what was ticked there carried out."""
    review = get_object_or_404(Review, slug=slug)
    context = {"review": review, "address": address_of(review), "largest": LARGEST // 1000}
    if request.method == "POST":
        text, notes = _uploaded(request)
        read = bibtex.parse(text)
        if read.entries and "apply" in request.POST and _applied(request, review):
            return redirect("membership", slug=slug)
        found = membership.reconcile(review, read.entries) if read.entries else None
        context |= {"text": text, "notes": notes, "faults": read.faults, "found": found, "count": len(read.entries)}
    return render(request, "pages/membership_reconcile.html", context)


def _uploaded(request: HttpRequest) -> tuple[str, list[str]]:
    """The text of the file, or the text that the page carried on, and what is to be said about it."""
    file = request.FILES.get("file")
    if file is None:
        text = _text(request.POST, "text")
        return text, [] if text.strip() else ["No file was chosen."]
    if (file.size or 0) > LARGEST:
        return "", [f"The file is larger than {LARGEST // 1000} kB: a list of references is not. Import it instead."]
    text, utf8 = decode(file.read())
    return text.replace("\0", ""), [] if utf8 else ["The file is not UTF-8; it was read as Windows-1252."]


def _applied(request: HttpRequest, review: Review) -> bool:
    """Carry out what was ticked; ``False``, and a message, where the place is none."""
    sent = request.POST
    try:
        place = membership.place_of(_text(sent, "address"), "", _text(sent, "page"))
        numbers = sent.get("numbered") == "yes"
        confirmed = [(int(pk), int(number) if numbers else None) for pk, number in _pairs(sent.getlist("confirm"))]
        aside = [int(pk) for pk in sent.getlist("aside") if pk.isascii() and pk.isdigit() and len(pk) < 16]
        done = membership.apply(review, place, confirmed, aside)
    except ValidationError as error:
        messages.error(request, f"Nothing was saved. {'; '.join(error.messages)}")
        return False
    messages.success(request, f"{done[0]} confirmed, {done[1]} set aside.")
    return True


def _pairs(values: list[str]) -> list[tuple[str, str]]:
    """``publication:number`` of each ticked box; what is none is left out."""
    pairs = [tuple(value.split(":", 1)) for value in values if value.count(":") == 1]
    return [(a, b) for a, b in pairs if all(one.isascii() and one.isdigit() and len(one) < 16 for one in (a, b))]
