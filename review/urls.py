"""Addresses of the pages for the people who curate and screen."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
