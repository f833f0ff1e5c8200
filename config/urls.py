"""Addresses of the site. Pages live in the highest app they show."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("curate/", include("review.urls")),
    path("", include("reproductions.urls")),
]
