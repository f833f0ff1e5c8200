"""Addresses of the pages."""

from django.contrib.auth import views as auth
from django.urls import URLPattern, path
from sesame.views import LoginView as SesameLoginView

from reproductions.pages import devices, home, runs

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
    path("techniques/<slug:slug>/run/", runs.ask, name="technique-run"),
    path("devices/", devices.index, name="devices"),
    path("devices/<slug:slug>/", devices.show, name="device"),
    path("password/done/", auth.PasswordChangeDoneView.as_view(), name="password_change_done"),
]
