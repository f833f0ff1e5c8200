"""Addresses of the pages for the people who curate and screen."""

from django.urls import URLPattern, path

from review.pages import checklist, duplicates, flow, membership

urlpatterns: list[URLPattern] = [
    path("duplicates/", duplicates.queue, name="duplicates"),
    path("duplicates/find/", duplicates.find, name="duplicates-find"),
    path("duplicates/<str:kind>/<int:pk>/", duplicates.decide, name="duplicates-decide"),
    path("duplicates/<str:kind>/<int:pk>/back/", duplicates.take_back, name="duplicates-take-back"),
    path("membership/<slug:slug>/", membership.ledger, name="membership"),
    path("membership/<slug:slug>/reconcile/", membership.reconcile, name="membership-reconcile"),
    path("membership/<slug:slug>/<int:publication>/", membership.settle, name="membership-settle"),
    path("flow/<slug:slug>/", flow.upload, name="flow-import"),
    path("checklist/<slug:slug>/<str:item>/", checklist.answer, name="checklist-answer"),
]
