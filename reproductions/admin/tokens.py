"""Tokens: made for somebody, shown once, revoked and never deleted."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from reproductions import tokens
from reproductions.models import Token

MOST_A_MINUTE = 6000


class TokenForm(forms.ModelForm):
    """The scopes are ticked, and the limit is one that a machine can hold to."""

    scopes = forms.MultipleChoiceField(
        choices=Token.Scope.choices, widget=forms.CheckboxSelectMultiple, initial=[Token.Scope.SUBMIT]
    )
    per_minute = forms.IntegerField(min_value=1, max_value=MOST_A_MINUTE, initial=60, help_text="Requests a minute.")

    def clean_expires_at(self) -> Any:
        """A moment to come, or none."""
        moment = self.cleaned_data["expires_at"]
        if moment is not None and "expires_at" in self.changed_data and moment <= timezone.now():
            raise forms.ValidationError("This moment is over. To close a token at once, revoke it.")
        return moment


@admin.register(Token)
class TokenAdmin(admin.ModelAdmin):
    """An owner of the site makes tokens for anybody, a runner for himself; others see none."""

    form = TokenForm
    list_display = ("name", "beginning", "owner", "place", "state", "last_used_at", "expires_at", "per_minute")
    list_select_related = ("owner",)
    search_fields = ("name", "shown", "owner__username", "place")
    readonly_fields = ("beginning", "made_at", "last_used_at", "revoked_at")
    autocomplete_fields = ("owner",)
    actions = ("revoke",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Token]:
        """All of them, or one's own."""
        found: QuerySet[Token] = tokens.for_user(request.user)
        return found

    def get_fields(self, request: HttpRequest, obj: Token | None = None) -> tuple[str, ...]:
        """Only an owner of the site chooses whose a token is."""
        owner = ("owner",) if tokens.may_see_all(request.user) else ()
        return ("name", *owner, "place", "scopes", "per_minute", "expires_at", *(self.readonly_fields if obj else ()))

    def get_readonly_fields(self, request: HttpRequest, obj: Token | None = None) -> tuple[str, ...]:
        """Whose a token is stays as it was made."""
        return (*self.readonly_fields, "owner") if obj else self.readonly_fields

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """One's own, unless said otherwise."""
        return {"owner": request.user.pk, **super().get_changeform_initial_data(request)}

    def has_delete_permission(self, request: HttpRequest, obj: Token | None = None) -> bool:
        """Never: what came in with a token stays to be told by it."""
        return False

    def save_model(self, request: HttpRequest, obj: Token, form: Any, change: bool) -> None:
        """A new one gets its secret, which is shown by the answer to this request and kept nowhere."""
        if not change:
            if not tokens.may_see_all(request.user):
                obj.owner = request.user  # type: ignore[assignment]
            request.made_token = tokens.new(obj)  # type: ignore[attr-defined]
        super().save_model(request, obj, form, change)

    def response_add(self, request: HttpRequest, obj: Token, post_url_continue: str | None = None) -> HttpResponse:
        """The token itself, this once."""
        context = {
            **self.admin_site.each_context(request),
            "title": "Copy the token now",
            "opts": self.opts,
            "token": obj,
            "text": request.made_token,  # type: ignore[attr-defined]
        }
        headers = {"Cache-Control": "no-store"}
        return TemplateResponse(request, "admin/reproductions/token/made.html", context, headers=headers)

    @admin.action(description="Revoke: it opens nothing any more", permissions=["change"])
    def revoke(self, request: HttpRequest, chosen: QuerySet[Token]) -> None:
        """Close them for ever."""
        closed = sum(tokens.revoke(token) for token in chosen)
        self.message_user(request, f"Revoked: {closed}. Records that came with them stay.")

    @admin.display(description="token")
    def beginning(self, token: Token) -> str:
        return f"{token.shown}…"

    @admin.display(description="state")
    def state(self, token: Token) -> str:
        if token.revoked_at:
            return "revoked"
        return "expired" if token.expires_at and token.expires_at <= timezone.now() else "open"
