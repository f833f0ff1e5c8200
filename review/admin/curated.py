"""What the admin of every curated record shares: its history, the way back, and no lost edits."""

from typing import Any

from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.db import transaction
from django.forms.models import _get_foreign_key  # type: ignore[attr-defined]
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse

from review import changes, conflicts, history
from review.admin.past import Past, _number
from review.changes import Part
from review.conflicts import Sealed


class Curated(Past):
    """The admin of a record with history. Use it in place of ``admin.ModelAdmin``; before any other mixin."""

    def parts(self, request: HttpRequest, pk: int) -> list[Part]:
        """The record, and the rows of those inlines that can be edited."""
        found = super().parts(request, pk)
        for inline in self.get_inline_instances(request):
            edited = inline.can_delete or inline.has_add_permission(request, None)
            if edited and hasattr(inline.model, "history"):
                column = _get_foreign_key(self.model, inline.model, fk_name=inline.fk_name).attname
                found.append(Part(inline.model, column, pk))
        return found

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Without the stock deletion of many: a record goes one at a time, seen, with a reason."""
        actions: dict[str, Any] = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """The record; locked with its parts where this request is about to change it."""
        pk = _number(str(object_id))
        if request.method == "POST" and pk and transaction.get_connection().in_atomic_block:
            self.lock(self.parts(request, pk))
        return super().get_object(request, object_id, from_field)

    def lock(self, parts: list[Part]) -> None:
        """Keep others from changing the record and its parts until this request is done."""
        conflicts.lock(parts)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """The form with its seal and a place for the reason."""
        form = super().get_form(request, obj, change=change, **kwargs)

        def parts(self_: Any) -> list[Part]:
            return self.parts(request, self_.instance.pk)

        return type(form)(form.__name__, (Sealed, form), {"parts": parts, "__module__": form.__module__})

    def get_formset_kwargs(self, request: HttpRequest, obj: Any, inline: Any, prefix: str) -> dict[str, Any]:
        """Posted texts get the line ends that the records keep."""
        kwargs: dict[str, Any] = super().get_formset_kwargs(request, obj, inline, prefix)
        if "data" in kwargs:
            kwargs["data"] = conflicts.unix_lines(kwargs["data"])
        return kwargs

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """One row of history for each save, written once the relations are saved too; none where nothing changed."""
        if change and not form.has_changed():
            return
        if self._many():
            obj.skip_history_when_saving = True
        super().save_model(request, obj, form, change)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Relations and inlines, with the reason of the form on each."""
        for formset in formsets:
            for row in formset.forms:
                row.instance._change_reason = conflicts.reason(form)
        super().save_related(request, form, formsets, change)
        if hasattr(form.instance, "skip_history_when_saving"):
            del form.instance.skip_history_when_saving
            said = conflicts.reason(form) or ""
            history.record([form.instance], "~" if change else "+", said, self._many(), request.user)

    def _many(self) -> list[str]:
        return [field.name for field in self.model.history.model._history_m2m_fields]  # type: ignore[attr-defined]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The form; where the record was deleted meanwhile, a page that keeps what was typed."""
        pk = _number(unquote(object_id))
        if request.method == "POST" and self.has_change_permission(request) and self._is_gone(pk):
            row = self._newest(pk)
            typed = [(name, value) for name, value in request.POST.items() if _typed(name, value)]
            change = changes.Change(row, "", True, ())
            context = self._context(request, "Deleted meanwhile", None, change=change, typed=typed, object_id=pk)
            return TemplateResponse(request, "admin/curated/gone.html", context, status=409)
        return super().change_view(request, object_id, form_url, extra_context)

    def _is_gone(self, pk: int) -> bool:
        return bool(pk) and not self.model._base_manager.filter(pk=pk).exists() and self._rows(pk).exists()

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The confirmation; refused where the record changed since it was shown."""
        pk = _number(unquote(object_id))
        parts = self.parts(request, pk)
        with transaction.atomic():
            if request.method == "POST" and (sealed := request.POST.get(conflicts.SEAL)):
                self.lock(parts)
                conflict = conflicts.between(parts, sealed, lambda name: "")
                if conflict and not self._is_gone(pk):
                    messages.error(request, f"{conflict.message} Nothing was deleted: look at it again.")
                    return redirect(request.get_full_path())
            more = {"seal": conflicts.seal(parts), "why": True} | (extra_context or {})
            return super().delete_view(request, object_id, more)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        """With the reason that was given."""
        obj._change_reason = request.POST.get(conflicts.WHY, "").replace("\0", "")[: history.LONGEST_REASON] or None
        super().delete_model(request, obj)


def _typed(name: str, value: Any) -> bool:
    hidden = name.startswith(("_", "csrf")) or name.endswith(("_FORMS", "-id")) or name in conflicts.OURS
    return bool(value) and not hidden
