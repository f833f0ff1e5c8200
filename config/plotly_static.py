"""Serves the one script of the Plotly package that the charts need; its folder also holds a widget bundle of 5 MB."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import plotly
from django.contrib.staticfiles.finders import BaseFinder
from django.core.files.storage import FileSystemStorage

NAME = "plotly/plotly.min.js"
FOLDER = Path(plotly.__file__).parent / "package_data"


class PlotlyFinder(BaseFinder):
    """Finds ``plotly/plotly.min.js`` in the installed package."""

    storage = FileSystemStorage(location=str(FOLDER))

    def check(self, **kwargs: Any) -> list[Any]:
        """Nothing to configure, so nothing to check."""
        return []

    def find(self, path: str, find_all: bool = False, **kwargs: Any) -> Any:
        """The file's place for its static path; an empty list for any other path."""
        found = str(FOLDER / "plotly.min.js") if path == NAME else None
        return ([found] if find_all else found) if found else []

    def list(self, ignore_patterns: Iterable[str] | None) -> Iterator[tuple[str, Any]]:
        """The one file, for ``collectstatic``."""
        self.storage.prefix = "plotly"  # type: ignore[attr-defined]
        yield "plotly.min.js", self.storage
