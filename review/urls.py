"""Addresses of the pages for the people who curate and screen."""

from django.urls import URLPattern, path

from review.pages import checklist, duplicates, flow, membership, screening, work

urlpatterns: list[URLPattern] = [
    path("", work.index, name="curate"),
    path("duplicates/", duplicates.queue, name="duplicates"),
    path("duplicates/find/", duplicates.find, name="duplicates-find"),
    path("duplicates/<str:kind>/<int:pk>/", duplicates.decide, name="duplicates-decide"),
    path("duplicates/<str:kind>/<int:pk>/back/", duplicates.take_back, name="duplicates-take-back"),
    path("membership/<slug:slug>/", membership.ledger, name="membership"),
    path("membership/<slug:slug>/reconcile/", membership.reconcile, name="membership-reconcile"),
    path("membership/<slug:slug>/<int:publication>/", membership.settle, name="membership-settle"),
    path("screening/", screening.index, name="screening"),
    path("screening/begin/", screening.begin, name="screening-begin"),
    path("screening/<slug:slug>/", screening.overview, name="screening-review"),
    path("screening/<slug:slug>/retrieval/", screening.retrieval, name="screening-retrieval"),
    path("screening/<slug:slug>/conflicts/", screening.conflicts, name="screening-conflicts"),
    path("screening/<slug:slug>/record/<int:pk>/", screening.record, name="screening-record"),
    path("screening/<slug:slug>/read/<str:stage>/", screening.read, name="screening-read"),
    path("screening/<slug:slug>/read/<str:stage>/decide/", screening.decide, name="screening-decide"),
    path("screening/<slug:slug>/read/<str:stage>/back/", screening.take_back, name="screening-take-back"),
    path("flow/<slug:slug>/", flow.upload, name="flow-import"),
    path("checklist/<slug:slug>/<str:item>/", checklist.answer, name="checklist-answer"),
]
