"""Records from outside: those that wait for a curator, for everybody to read, and the curator's word on each."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from reproductions import submissions
from reproductions.models import Run
from reproductions.queries import outside as reading

PAGE_LENGTH = 25


def index(request: HttpRequest) -> HttpResponse:
    """What waits, oldest first; ``?verdict=`` shows what was accepted or declined."""
    asked = request.GET.get("verdict", "")
    verdict = asked if asked in reading.Verdict.values else reading.Verdict.AWAITING
    page = Paginator(reading.submissions(verdict), PAGE_LENGTH).get_page(request.GET.get("page"))
    return render(request, "pages/outside.html", {"page": page, "verdict": verdict, "counts": reading.counts()})


@require_POST
@login_required
@permission_required("reproductions.change_submission", raise_exception=True)
def decide(request: HttpRequest, run_id: str) -> HttpResponse:
    """Accept or decline a record, with a reason that everybody sees."""
    run = get_object_or_404(Run.objects.defer("record", "log"), run_id=run_id, submission__isnull=False)
    verdict, reason, seen = (request.POST.get(name, "") for name in ("verdict", "reason", "seen"))
    try:
        submission = submissions.decide(run, verdict, reason, request.user, seen)  # type: ignore[arg-type]
    except submissions.Decided:
        messages.error(request, "Somebody else decided on it meanwhile: look at what they said.")
    except ValidationError as fault:
        # The page comes again with what was typed.
        context = {"run": run, "faults": fault.messages, "typed": reason[: submissions.LONGEST]}
        return render(request, "pages/outside_decide.html", context, status=422)
    else:
        messages.success(request, f"The record is {submission.get_verdict_display()}.")
    return redirect(run)
