"""Rows of an inline that name another record: the name is read with the rows, not by a query for each."""

from typing import Any, ClassVar

from django.contrib.admin.options import InlineModelAdmin
from django.contrib.admin.widgets import AutocompleteSelect
from django.db.models import Field, QuerySet
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest


class KnownSelect(AutocompleteSelect):
    """An autocomplete that has the chosen record at hand."""

    known: Any = None

    def optgroups(self, name: str, value: Any, attrs: Any = None) -> Any:
        """The chosen record alone, as the stock widget shows it; asked for only where it is another one."""
        if self.known is None or [str(one) for one in value] != [str(self.known.pk)]:
            return super().optgroups(name, value, attrs)
        empty = [] if self.is_required else [self.create_option(name, "", "", False, 0)]
        chosen = self.create_option(name, self.known.pk, str(self.known), True, 0)
        return [(None, [*empty, chosen], 0)]


class KnownFormSet(BaseInlineFormSet):
    """Hands each row's records to its widgets."""

    def add_fields(self, form: Any, index: Any) -> None:
        """The fields; those of a stored row know what is chosen."""
        super().add_fields(form, index)
        for name, field in form.fields.items():
            widget = getattr(field.widget, "widget", field.widget)
            if isinstance(widget, KnownSelect) and form.instance.pk:
                widget.known = form.instance._state.fields_cache.get(name)


class KnownRows(InlineModelAdmin):
    """Use it before the inline's own class; ``unlisted`` names long columns of the records that are named."""

    formset = KnownFormSet
    unlisted: ClassVar[tuple[str, ...]] = ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """The rows with what they name."""
        return super().get_queryset(request).select_related(*self.autocomplete_fields).defer(*self.unlisted)

    def formfield_for_foreignkey(self, db_field: Field[Any, Any], request: HttpRequest, **kwargs: Any) -> Any:
        """With the widget that knows."""
        if db_field.name in self.autocomplete_fields:
            kwargs["widget"] = KnownSelect(db_field, self.admin_site, using=kwargs.get("using"))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)  # type: ignore[arg-type]
