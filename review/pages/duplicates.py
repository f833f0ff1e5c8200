"""The queue of works that may be one: two side by side, one key for a decision."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from review import duplicates, pairs
from review.importing.batches import Refused

curator = permission_required("review.change_publication", raise_exception=True)


@login_required
@curator
def queue(request: HttpRequest) -> HttpResponse:
    """The pair at place ``n`` of the queue, how many wait, and the newest decisions."""
    waiting, counts = pairs.waiting(), duplicates.counts()
    place = max(1, min(_number(request.GET.get("n", "")), len(waiting)))
    pair = pairs.pair(*waiting[place - 1]) if waiting else None
    last = max(1, -(-sum(counts[state] for state in duplicates.DECIDED) // pairs.PAST))
    past = min(_number(request.GET.get("past", "")), last)
    context = {"pair": pair, "place": place, "count": len(waiting), "counts": counts, "past": past, "last": last}
    return render(request, "pages/duplicates.html", context | {"decided": pairs.decided(past)})


@require_POST
@login_required
@curator
def decide(request: HttpRequest, kind: str, pk: int) -> HttpResponse:
    """What a curator says of a pair; then the next one."""
    try:
        said = duplicates.decide(kind, pk, request.POST.get("said", ""), request.user)
        messages.success(request, f"Decided: {said}.")
    except Refused as refusal:
        messages.error(request, str(refusal))
    return _to(request)


@require_POST
@login_required
@curator
def take_back(request: HttpRequest, kind: str, pk: int) -> HttpResponse:
    """The pair waits again."""
    try:
        duplicates.take_back(kind, pk, request.user)
        messages.success(request, "Taken back: the pair waits again.")
    except Refused as refusal:
        messages.error(request, str(refusal))
    return _to(request)


@require_POST
@login_required
@curator
def find(request: HttpRequest) -> HttpResponse:
    """Compare all publications with one another."""
    made = duplicates.find()
    messages.success(request, f"All publications were compared: {made} new pair{'' if made == 1 else 's'}.")
    return redirect("duplicates")


def _to(request: HttpRequest) -> HttpResponse:
    response = redirect("duplicates")
    response["Location"] += f"?n={_number(request.POST.get('n', ''))}"
    return response


def _number(text: str) -> int:
    """A place or page that an address names; the first where it names none."""
    return max(1, int(text)) if text.isascii() and text.isdigit() and len(text) < 9 else 1
