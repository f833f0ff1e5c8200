"""Addresses of the pages for the people who curate and screen."""

from django.urls import URLPattern, path

from review.pages import membership

urlpatterns: list[URLPattern] = [
    path("membership/<slug:slug>/", membership.ledger, name="membership"),
    path("membership/<slug:slug>/reconcile/", membership.reconcile, name="membership-reconcile"),
    path("membership/<slug:slug>/<int:publication>/", membership.settle, name="membership-settle"),
]
