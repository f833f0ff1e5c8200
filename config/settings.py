"""Settings of the site: one file, everything that differs between machines from the environment."""

import importlib.util
import os
import shlex
from pathlib import Path

import dj_database_url
from csp.constants import NONE, SELF

from config import logs
from config.environment import flag, number, secret, token, whole, words

BASE_DIR = Path(__file__).resolve().parent.parent
VAR = Path(os.environ.get("ATLAS_VAR", BASE_DIR / "var"))
VAR.mkdir(mode=0o700, parents=True, exist_ok=True)  # the database and the secrets are for this user alone

DEBUG = flag("DEBUG")
SECRET_KEY = os.environ.get("SECRET_KEY") or secret(VAR / "secret_key")
ALLOWED_HOSTS = words("ALLOWED_HOSTS", ["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS = words("CSRF_TRUSTED_ORIGINS", [])
VERSION = (BASE_DIR / "VERSION").read_text(encoding="ascii").strip()

INSTALLED_APPS = [
    "config.apps.AtlasAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django_tasks",
    "django_htmx",
    "tree_queries",
    "simple_history",
    "review",
    "techniques",
    "reproductions",
    "config.apps.HouseConfig",
]
MIDDLEWARE = [
    "config.access.AccessLog",
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "simple_history.middleware.HistoryRequestMiddleware",
    "config.metering.Metered",
]
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
ASGI_APPLICATION = "config.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "config.context.atlas",
            ],
        },
    }
]

DATABASES = {"default": dj_database_url.parse(os.environ.get("DATABASE_URL") or f"sqlite:///{VAR / 'atlas.sqlite3'}")}
_database = DATABASES["default"]
_database["CONN_HEALTH_CHECKS"] = True
_options = _database.setdefault("OPTIONS", {})
if _database["ENGINE"] == "django.db.backends.sqlite3":
    _options.setdefault("transaction_mode", "IMMEDIATE")
    _options.setdefault("timeout", 20)
    _options.setdefault(
        "init_command", "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;PRAGMA mmap_size=1073741824;"
    )
else:
    # Pages ask much in little: compiling a query takes longer than any of them may.
    _options["options"] = f"{_options.get('options', '')} -c jit=off".strip()
if flag("DATABASE_POOL") and _database["ENGINE"] != "django.db.backends.sqlite3":
    # Only the web process pools (`manage.py serve` sets the switch): a pool does not survive the fork of a worker.
    _options["pool"] = {"min_size": 1, "max_size": whole("DATABASE_POOL_SIZE", 4), "timeout": 10}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# One interface, two engines: the database decides. Only the engine in use is installed. No list of queues: their names
# come from the workers.
POSTGRESQL = _database["ENGINE"] == "django.db.backends.postgresql"
if POSTGRESQL:
    INSTALLED_APPS.insert(INSTALLED_APPS.index("django_tasks") + 1, "procrastinate.contrib.django")
    TASKS = {"default": {"BACKEND": "reproductions.engines.procrastinate.ProcrastinateBackend", "QUEUES": []}}
    PROCRASTINATE_ON_APP_READY = "reproductions.engines.procrastinate.register"
    PROCRASTINATE_AUTODISCOVER_MODULE_NAME = ""
else:
    INSTALLED_APPS.insert(INSTALLED_APPS.index("django_tasks") + 1, "django_tasks_db")
    TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend", "QUEUES": []}}

AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend", "sesame.backends.ModelBackend"]
SESAME_MAX_AGE = 60 * 60
SESAME_ONE_TIME = True
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "home"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
PASSWORD_HASHERS = words("PASSWORD_HASHERS", ["django.contrib.auth.hashers.PBKDF2PasswordHasher"])

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT = Path(os.environ.get("STATIC_ROOT", VAR / "static"))
STATIC_ROOT.mkdir(parents=True, exist_ok=True)
STATICFILES_DIRS = [BASE_DIR / "static"]
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.FileSystemFinder",
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
    "config.plotly_static.PlotlyFinder",
]
# Files are served straight from their folders, without a collect step, so that `make run` starts at once; a deployment
# sets COLLECTED_STATIC=1 after `manage.py collectstatic` and gets hashed, compressed, immutable files.
COLLECTED_STATIC = flag("COLLECTED_STATIC")
WHITENOISE_USE_FINDERS = not COLLECTED_STATIC
WHITENOISE_KEEP_ONLY_HASHED_FILES = True
WHITENOISE_MAX_AGE = 3600
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if COLLECTED_STATIC
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
MEDIA_ROOT = VAR / "uploads"

# Plotly writes two style elements at start: an empty one and one of its map library. Their hashes let them pass without
# opening style-src to inline styles.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [
            SELF,
            "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='",
            "'sha256-ji27qzEtxXZW+7dun6UwjHXJ18e6WAin1VvNtkzIE/o='",
        ],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "object-src": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CONTENT_TYPE_NOSNIFF = True
SESSION_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"
if flag("BEHIND_TLS"):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
    SECURE_HSTS_SECONDS = 3600 * 24 * 30

LOGGING = logs.configuration(os.environ.get("LOG_FORMAT") or "line", os.environ.get("LOG_LEVEL") or "WARNING")

# Who holds this token may read /metrics. Without it only an owner who is signed in may.
METRICS_TOKEN = token("METRICS_TOKEN")
PROMETHEUS_LATENCY_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.5, 5.0, 10.0, float("inf"))

# The atlas's own settings.
RESULTS_DIR = BASE_DIR / "reproductions" / "results"
TORCH_INSTALLED = importlib.util.find_spec("torch") is not None
RUNS_RUNNING_PER_USER = whole("RUNS_RUNNING_PER_USER", 1)
RUNS_QUEUED_PER_USER = whole("RUNS_QUEUED_PER_USER", 5)
RUN_LEASE_SECONDS = whole("RUN_LEASE_SECONDS", 30)
RUN_BEAT_SECONDS = number("RUN_BEAT_SECONDS", 5.0)
# A worker that is told to stop lets its run end within this, or hands it back.
RUN_GRACE_SECONDS = number("RUN_GRACE_SECONDS", 10.0)
RUN_MOST_ATTEMPTS = whole("RUN_MOST_ATTEMPTS", 3)
RUN_QUEUES = {"tiny": "cpu", "cpu": "cpu", "gpu": "gpu"}
# Seconds a run may spend before its first word, in its checks, in compiling and in timing, by size.
RUN_LIMITS = {
    "tiny": {"start": 90, "check": 150, "compile": 150, "timing": 150},
    "cpu": {"start": 120, "check": 900, "compile": 600, "timing": 1800},
    "gpu": {"start": 180, "check": 900, "compile": 900, "timing": 1800},
}
RUN_LIMITS_SCALE = number("RUN_LIMITS_SCALE", 1.0)
# Memory of all processes of a run together: so many bytes, or else a share of what the machine has.
RUN_MEMORY_BYTES = whole("RUN_MEMORY_BYTES", 0)
RUN_MEMORY_SHARE = number("RUN_MEMORY_SHARE", 0.8)
# Words of a command in place of the harness, for tests of what happens around it.
RUN_HARNESS = shlex.split(os.environ.get("ATLAS_HARNESS", ""))
RUN_REAPER = flag("RUN_REAPER", True)  # the web process, too, puts back what dead workers left
