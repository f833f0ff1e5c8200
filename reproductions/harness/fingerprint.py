"""Everything that could change a number: the device, the software, the load.

Reads only; never changes a device's settings.

A key whose value nobody can tell is left out: absent is "not known", never 0.
"""

import ctypes.util
import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from . import gpu

PACKAGES = (
    "torch",
    "triton",
    "numpy",
    "scipy",
    "transformers",
    "torchao",
    "llmcompressor",
    "safetensors",
    "tokenizers",
    "gguf",
)
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
    "LD_PRELOAD",
)


def whole(device: str) -> dict[str, Any]:
    """The fingerprint of this machine and this process for runs on ``device``."""
    found = {
        "python": platform.python_version(),
        "implementation": sys.implementation.name,
        "kernel": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "libc": " ".join(platform.libc_ver()).strip(),
        "cpu": cpu_name(),
        "cores": os.cpu_count(),
        "memory_bytes": _memory(),
        "packages": packages(),
        "variables": {k: v for k, v in sorted(os.environ.items()) if k.startswith(VARIABLES) and "/" not in v},
        "torch": _torch(),
    }
    if device.startswith("cuda"):
        found["gpu"] = gpu.fixed()
    return {key: value for key, value in found.items() if value not in (None, "", {})}


def moment(device: str) -> dict[str, Any]:
    """What moves while a run goes on: load, frequency, and the GPU's clocks, temperature, power and other tenants."""
    found: dict[str, Any] = {"load": list(os.getloadavg()), "cpu_mhz": _frequency()}
    if device.startswith("cuda"):
        found["gpu"] = gpu.moving()
    return {key: value for key, value in found.items() if value is not None}


def packages() -> dict[str, str]:
    """Versions of the packages that decide speed or stand beside ours as peers; those not installed are left out."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def cpu_name() -> str:
    """The processor's own name for itself."""
    return _line("/proc/cpuinfo", "model name") or platform.processor() or platform.machine()


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


def has_cuda() -> bool:
    """Whether torch sees a CUDA device; False without torch."""
    try:
        import torch
    except ImportError:
        return False
    return torch.cuda.is_available()


def _torch() -> dict[str, Any]:
    """What torch says of itself: threads, vector instructions, libraries, precision."""
    try:
        import torch
    except ImportError:
        return {}
    return {
        "threads": torch.get_num_threads(),
        "interop_threads": torch.get_num_interop_threads(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "mkl": torch.backends.mkl.is_available(),
        "mkldnn": torch.backends.mkldnn.is_available(),
        "matmul_precision": torch.get_float32_matmul_precision(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "git": torch.version.git_version,
        "openmp": ctypes.util.find_library("gomp") or "bundled",
    }


def _memory() -> int | None:
    kilobytes = _line("/proc/meminfo", "MemTotal").split()
    return int(kilobytes[0]) * 1024 if kilobytes else None


def _frequency() -> float | None:
    text = _line("/proc/cpuinfo", "cpu MHz")
    return float(text) if text else None


def _line(file: str, name: str) -> str:
    """The value of the first line ``name : value`` of a file under /proc; nothing where there is no such file."""
    try:
        lines = Path(file).read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    found = (line.split(":", 1)[1].strip() for line in lines if line.split(":", 1)[0].strip() == name)
    return next(found, "")
