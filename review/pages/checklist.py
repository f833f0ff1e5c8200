"""The PRISMA 2020 checklist of a review: read, taken away, and answered by curators."""

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse

from review.exports import csv_lines
from review.models import ChecklistAnswer, Review
from review.prisma import checklist, flow_of
from review.prisma.items import ITEMS

COLUMNS = ("item", "section", "topic", "answer", "place")
curator = permission_required("review.change_checklistanswer", raise_exception=True)


class AnswerForm(forms.ModelForm):
    """What the authors say of an item. ``seen`` is the answer that was read, so that nobody's edit is lost."""

    seen = forms.CharField(required=False, widget=forms.HiddenInput)

    class Meta:
        model = ChecklistAnswer
        fields = ("text", "place")


def show(request: HttpRequest, slug: str) -> HttpResponse:
    """Every item with what is known."""
    review = get_object_or_404(Review, slug=slug)
    entries = checklist.entries(review, flow_of(review))
    answered = sum(bool(entry.found or entry.answer) for entry in entries)
    return render(request, "pages/checklist.html", {"review": review, "entries": entries, "answered": answered})


def as_csv(request: HttpRequest, slug: str) -> StreamingHttpResponse:
    """The checklist as CSV."""
    review = get_object_or_404(Review, slug=slug)
    lines = csv_lines(checklist.as_rows(checklist.entries(review, flow_of(review)), _site(request)), COLUMNS)
    name = f'attachment; filename="{slug}-checklist.csv"'
    return StreamingHttpResponse(lines, content_type="text/csv", headers={"Content-Disposition": name})


def as_markdown(request: HttpRequest, slug: str) -> HttpResponse:
    """The checklist as Markdown."""
    review = get_object_or_404(Review, slug=slug)
    text = checklist.as_markdown(review, checklist.entries(review, flow_of(review)), _site(request))
    name = f'attachment; filename="{slug}-checklist.md"'
    return HttpResponse(text, content_type="text/markdown; charset=utf-8", headers={"Content-Disposition": name})


@login_required
@curator
def answer(request: HttpRequest, slug: str, item: str) -> HttpResponse:
    """One item, answered by the review's authors or their curators. Emptied, it is not reported again."""
    review = get_object_or_404(Review, slug=slug)
    asked = next((one for one in ITEMS if one.number == item), None)
    if asked is None:
        raise Http404("No such item.")
    known = review.checklist_answers.filter(item=item).first()
    said = _said(known)
    form = AnswerForm(
        _without_nul(request),
        instance=known or ChecklistAnswer(review=review, item=item),
        initial={"seen": _said(known)},
    )
    if request.method == "POST" and form.is_valid():
        if form.cleaned_data["seen"] == said:
            form.save()
            messages.success(request, f"Item {item} was saved.")
            return redirect(f"{reverse('review-checklist', args=[slug])}#item-{item}")
        now = f"Somebody else changed this answer meanwhile; it reads now: {said or 'nothing'}"
        form.add_error(None, f"{now}. Your words are still below: save again to put them in its place.")
        form.data = {**form.data, "seen": said}
    return render(request, "pages/checklist_answer.html", {"review": review, "item": asked, "form": form})


def _site(request: HttpRequest) -> str:
    return request.build_absolute_uri("/").rstrip("/")


def _without_nul(request: HttpRequest) -> dict[str, str] | None:
    if request.method != "POST":
        return None
    # A browser sends the ends of lines as the network has them; compared is what was read.
    return {name: str(value).replace("\0", "").replace("\r\n", "\n") for name, value in request.POST.items()}


def _said(known: ChecklistAnswer | None) -> str:
    """The answer as one text, to see whether it is still the one that was read."""
    return f"{known.text} ({known.place})".replace("\r\n", "\n").strip() if known else ""
