"""The surroundings of every test, loaded with ``-p`` because pytest-django reads the settings before any conftest."""

import atexit
import os
import shutil
import tempfile

if "ATLAS_VAR" not in os.environ:
    os.environ["ATLAS_VAR"] = tempfile.mkdtemp(prefix="atlas-test-")
    atexit.register(shutil.rmtree, os.environ["ATLAS_VAR"], ignore_errors=True)
os.environ.setdefault("PASSWORD_HASHERS", "django.contrib.auth.hashers.MD5PasswordHasher")
# One thread for torch and its libraries: two test processes with two threads each slow each other down tenfold.
for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
