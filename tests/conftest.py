"""What every test shares: a private var/ folder, fast passwords, and the marks by which suites are chosen."""

import atexit
import os
import shutil
import tempfile

# Before Django reads its settings.
if "ATLAS_VAR" not in os.environ:
    os.environ["ATLAS_VAR"] = tempfile.mkdtemp(prefix="atlas-test-")
    atexit.register(shutil.rmtree, os.environ["ATLAS_VAR"], ignore_errors=True)
os.environ.setdefault("PASSWORD_HASHERS", "django.contrib.auth.hashers.MD5PasswordHasher")

import pytest

CHROMIUM = shutil.which("chromium")
DATABASE_FIXTURES = {"db", "transactional_db", "live_server", "django_db_setup"}


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "database: touches the database, so it runs on PostgreSQL too")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        if item.get_closest_marker("django_db") or fixtures & DATABASE_FIXTURES:
            item.add_marker("database")
        if CHROMIUM is None and item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.skip(reason="no Chromium found (Debian: apt-get install chromium)"))


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, object]:
    quiet = "no-sandbox disable-gpu disable-quic no-first-run disable-background-networking disable-component-update"
    return {"executable_path": CHROMIUM, "args": [f"--{flag}" for flag in [*quiet.split(), "disable-sync"]]}
