"""How gunicorn serves the site: ``gunicorn --config deploy/gunicorn.conf.py config.wsgi``. Read by its main process."""

import os
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from config import logs  # noqa: E402 - the folder of the site comes first
from config.environment import whole  # noqa: E402

chdir = str(ROOT)
bind = os.environ.get("BIND", "127.0.0.1:8000")
workers = whole("WEB_PROCESSES", 2)
threads = whole("WEB_THREADS", 8)
worker_class = "gthread"
timeout = 60  # a process that is silent for so long is replaced
graceful_timeout = 20
keepalive = 30  # longer than the proxy in front keeps idle connections
forwarded_allow_ips = os.environ.get("PROXIES", "127.0.0.1,::1")
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108 - its beats must not wait for a disk
control_socket_disable = True
accesslog = None  # the site writes the line of each request itself

# A pool of connections in each web process; they are forked before the site is loaded, so none is shared.
os.environ.setdefault("DATABASE_POOL", "1")
os.environ.setdefault("DATABASE_POOL_SIZE", str(threads))
# Where the web processes share their counts, so that /metrics tells of all of them.
VAR = Path(os.environ.get("ATLAS_VAR", ROOT / "var"))
COUNTS = Path(os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", str(VAR / "metrics")))

logconfig_dict: dict[str, Any] = logs.configuration(
    os.environ.get("LOG_FORMAT") or "line", os.environ.get("LOG_LEVEL") or "WARNING"
)
logconfig_dict["loggers"] |= {"gunicorn.error": {"level": "INFO", "handlers": ["console"], "propagate": False}}


def on_starting(server: Any) -> None:
    """Forget what the processes of the last start counted."""
    COUNTS.mkdir(mode=0o700, parents=True, exist_ok=True)
    for file in COUNTS.glob("*.db"):
        file.unlink()


def child_exit(server: Any, worker: Any) -> None:
    """A process ended: its gauges end with it, its counts stay."""
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(worker.pid)
