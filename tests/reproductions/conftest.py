"""What tests of runs share: a worker that lives in this process."""

from collections.abc import Iterator

import pytest

from reproductions import execution, workers
from tests import factories


@pytest.fixture
def heart(db: None) -> Iterator[workers.Heart]:
    """The heart of an idle worker, which this process works for; it does not beat by itself."""
    found = workers.Heart(factories.worker(), factories.worker)
    workers.serve_with(found)
    yield found
    workers._present.clear()
    execution.STOPPING.clear()
    execution.AT_ONCE.clear()
    execution._told_at.clear()
