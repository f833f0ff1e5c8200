"""Everything that could change a number: the device, the software, the load. Reads only; never changes a device's settings."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("torch", "triton", "numpy")
VARIABLES = (
    "OMP_",
    "MKL_",
    "OPENBLAS_",
    "KMP_",
    "GOMP_",
    "TORCH",
    "PYTORCH_",
    "CUDA_",
    "NCCL_",
    "GLOO_",
    "TRITON_",
    "MALLOC_",
)


def whole(device: str) -> dict[str, Any]:
    """The fingerprint of this machine and this process for runs on ``device``."""
    return {
        "python": platform.python_version(),
        "kernel": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "cpu": cpu_name(),
        "cores": os.cpu_count(),
        "packages": packages(),
        "variables": {k: v for k, v in sorted(os.environ.items()) if k.startswith(VARIABLES)},
    }


def moment(device: str) -> dict[str, Any]:
    """What moves while a run goes on: the load of the machine."""
    return {"load": list(os.getloadavg())}


def packages() -> dict[str, str]:
    """Versions of the packages that decide speed; one that is not installed is left out."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def cpu_name() -> str:
    """The processor's own name for itself."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def has_cuda() -> bool:
    """Whether torch sees a CUDA device; False without torch."""
    try:
        import torch
    except ImportError:
        return False
    return torch.cuda.is_available()


def device_name(device: str) -> str:
    """The name of the device that ``device`` stands for."""
    if device.startswith("cuda"):
        import torch

        return torch.cuda.get_device_name()
    return cpu_name()


def device_count(device: str) -> int:
    """How many ranks can run at once: CUDA devices, or cores."""
    if device.startswith("cuda"):
        import torch

        return torch.cuda.device_count()
    return os.cpu_count() or 1
