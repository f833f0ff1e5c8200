"""Runs: the list, the live page of one, its record; asking for a run and cancelling one."""

import json

from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from reproductions import services
from reproductions.harness.record import file_name
from reproductions.models import Run
from reproductions.queries import comparisons, judgements, measured, tables, workers
from reproductions.queries import runs as reading
from techniques.models import Technique

PAGE_LENGTH = 50
DETAILED = Run.objects.select_related(
    "technique__technique_class",
    "device",
    "asked_by",
    "taken_by__device",
    "again_of",
    "submission__decided_by",
)
HEAVY = ("taken_by__runnable", "again_of__record", "again_of__log", "again_of__environment")


def index(request: HttpRequest) -> HttpResponse:
    """Every run, newest first, narrowed by technique, status, device, size, queue and where it came from."""
    chosen = {name: [value.replace("\0", "") for value in request.GET.getlist(name)[:20]] for name in reading.FACETS}
    page = Paginator(reading.Listed(chosen), PAGE_LENGTH).get_page(request.GET.get("page"))
    count = sum(map(len, chosen.values()))
    return render(request, "pages/runs.html", {"page": page, "facets": reading.facets(chosen), "chosen": count})


def show(request: HttpRequest, run_id: str) -> HttpResponse:
    """One run: progress while it works, numbers when it ended, and a reason when it failed."""
    return render(request, "pages/run.html", live_context(request, run_id))


def live(request: HttpRequest, run_id: str) -> HttpResponse:
    """The part of the page that changes, for the live update; once the run has ended, it asks for no more."""
    return render(request, "pages/_run.html", live_context(request, run_id))


def live_context(request: HttpRequest, run_id: str) -> dict[str, object]:
    """What the run's page and its live part both read."""
    run = get_object_or_404(DETAILED.defer(*HEAVY), run_id=run_id)
    gates, rows = reading.gates(run), list(measured.pooled([run.pk]))
    return {
        "run": run,
        "gates": gates,
        "steps": reading.steps(run, failed_gate=any(gate.get("passed") is False for gate in gates)),
        "log": run.log if run.is_terminal else reading.live_log(run),
        "tables": tables.tables(rows),
        "comparisons": [comparisons.draw(one) for one in judgements.by_run(run, rows)],
        "environment": reading.environment(run),
        "submission": getattr(run, "submission", None),
        "repeats": reading.repeats(run),
        "may_cancel": may_cancel(request, run),
        "thumb": run.technique.technique_class.slug,
        **at_work(run, named=request.user.is_authenticated),
    }


def at_work(run: Run, named: bool) -> dict[str, object]:
    """Who has the run or could take it, what it does now, and what befell it; strangers are told no machine."""
    position = services.queue_position(run)
    return {
        "prospect": workers.prospect(run, position, named) if position else None,
        "holder": workers.name_of(run.taken_by, named, "a") if run.taken_by and not run.is_terminal else "",
        "phase": reading.phase(run),
        "silence": reading.silence(run),
        "attempt": reading.attempt(run),
        "incidents": reading.incidents(run, named),
        "error": workers.unnamed(run.error, named),
    }


def may_cancel(request: HttpRequest, run: Run) -> bool:
    """Those who asked for a run may cancel it, and so may an owner of the site."""
    own = request.user.is_authenticated and run.asked_by_id == request.user.pk
    return not run.is_terminal and (own or request.user.has_perm("reproductions.change_run"))


def record(request: HttpRequest, run_id: str) -> HttpResponse:
    """The record of a finished run as it was written."""
    run = get_object_or_404(DETAILED, run_id=run_id, record__isnull=False)
    body = json.dumps(run.record, indent=1, ensure_ascii=False)
    named = {"Content-Disposition": f'attachment; filename="{file_name(run.record or {})}"'}
    return HttpResponse(body, content_type="application/json", headers=named)


@require_POST
@permission_required("reproductions.run_benchmark", raise_exception=True)
def ask(request: HttpRequest, slug: str) -> HttpResponse:
    """Queue a run of a technique, for those who may; 403 and the way in for all others."""
    technique = get_object_or_404(Technique, slug=slug)
    size, queue = (request.POST.get(name, "").strip() for name in ("size", "queue"))
    try:
        run = services.ask(request.user, technique, size, queue)  # type: ignore[arg-type]
    except services.Refused as refusal:
        messages.error(request, str(refusal))
        return redirect(f"{technique.get_absolute_url()}#run")
    return redirect(run)


@require_POST
@login_required
@permission_required("reproductions.run_benchmark", raise_exception=True)
def again(request: HttpRequest, run_id: str) -> HttpResponse:
    """Queue a repetition of a run that has ended: the same technique, size, parameters, queue and seed."""
    run = get_object_or_404(Run.objects.select_related("technique"), run_id=run_id)
    try:
        if not run.is_terminal:
            raise services.Refused("This run has not ended yet. Wait for it, or cancel it, and then run it again.")
        return redirect(services.again(request.user, run))  # type: ignore[arg-type]
    except services.Refused as refusal:
        messages.error(request, str(refusal))
        return redirect(run)


@require_POST
@login_required
def cancel(request: HttpRequest, run_id: str) -> HttpResponse:
    """Cancel a run that is not over yet."""
    run = get_object_or_404(DETAILED, run_id=run_id)
    if not run.is_terminal and not may_cancel(request, run):
        raise PermissionDenied("Only the person who asked for a run, or an owner, can cancel it.")
    services.cancel(run)
    return redirect(reverse("run", args=[run.run_id]))
