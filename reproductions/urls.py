"""Addresses of the pages."""

from django.contrib.auth import views as auth
from django.urls import URLPattern, path

from reproductions.pages import home

urlpatterns: list[URLPattern] = [
    path("", home.show, name="home"),
    path("login/", auth.LoginView.as_view(), name="login"),
    path("logout/", auth.LogoutView.as_view(), name="logout"),
    path("password/", auth.PasswordChangeView.as_view(), name="password_change"),
    path("password/done/", auth.PasswordChangeDoneView.as_view(), name="password_change_done"),
]
