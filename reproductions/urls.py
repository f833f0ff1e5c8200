"""Addresses of the pages."""

from django.contrib.auth import views as auth
from django.urls import URLPattern, path
from sesame.views import LoginView as SesameLoginView

from reproductions.pages import (
    claims,
    devices,
    health,
    home,
    publications,
    review,
    runs,
    search,
    taxonomy,
    technique,
    techniques,
)

urlpatterns: list[URLPattern] = [
    path("", home.show, name="home"),
    path("login/", auth.LoginView.as_view(), name="login"),
    path("logout/", auth.LogoutView.as_view(), name="logout"),
    path("password/", auth.PasswordChangeView.as_view(), name="password_change"),
    path("login/link/", SesameLoginView.as_view(), name="login-link"),
    path("runs/", runs.index, name="runs"),
    path("runs/<uuid:run_id>/", runs.show, name="run"),
    path("runs/<uuid:run_id>/live/", runs.live, name="run-live"),
    path("runs/<uuid:run_id>/cancel/", runs.cancel, name="run-cancel"),
    path("runs/<uuid:run_id>.json", runs.record, name="run-json"),
    path("taxonomy/", taxonomy.index, name="taxonomy"),
    path("taxonomy/<slug:slug>/", taxonomy.show_class, name="taxonomy-class"),
    path("taxonomy/strategy/<slug:slug>/", taxonomy.show_strategy, name="taxonomy-strategy"),
    path("techniques/", techniques.index, name="techniques"),
    path("techniques/<slug:slug>/", technique.show, name="technique"),
    path("techniques/<slug:slug>/code/", technique.code, name="technique-code"),
    path("techniques/<slug:slug>/run/", runs.ask, name="technique-run"),
    path("publications/", publications.index, name="publications"),
    path("publications/<slug:slug>/", publications.show, name="publication"),
    path("publications/<slug:slug>.bib", publications.one_as_bibtex, name="publication-bib"),
    path("publications.bib", publications.as_bibtex, name="publications-bib"),
    path("publications/<slug:slug>.ris", publications.one_as_ris, name="publication-ris"),
    path("publications/<slug:slug>.csl.json", publications.one_as_csl, name="publication-csl"),
    path("publications.ris", publications.as_ris, name="publications-ris"),
    path("publications.csl.json", publications.as_csl, name="publications-csl"),
    path("publications.csv", publications.as_csv, name="publications-csv"),
    path("publications.json", publications.as_json, name="publications-json"),
    path("review/", review.published, name="review"),
    path("review/<slug:slug>/", review.show, name="review-other"),
    path("search/", search.show, name="search"),
    path("healthz", health.show, name="healthz"),
    path("claims/", claims.index, name="claims"),
    path("claims.csv", claims.as_csv, name="claims-csv"),
    path("measurements.csv", claims.measurements_as_csv, name="measurements-csv"),
    path("devices/", devices.index, name="devices"),
    path("devices/<slug:slug>/", devices.show, name="device"),
    path("password/done/", auth.PasswordChangeDoneView.as_view(), name="password_change_done"),
]
