"""What NVIDIA's own tool and torch say of the GPU. Reads only."""

import subprocess
from typing import Any

FIXED = ("name", "memory.total", "driver_version", "vbios_version", "power.limit", "clocks.max.sm", "clocks.max.mem")
MODES = ("ecc.mode.current", "mig.mode.current", "compute_mode", "persistence_mode")
MOVING = ("clocks.sm", "clocks.mem", "temperature.gpu", "power.draw", "power.limit", "utilization.gpu", "memory.used")
THROTTLE = ("clocks_throttle_reasons.active",)


def fixed() -> dict[str, Any]:
    """Name, memory, driver, CUDA and cuDNN versions, limits and modes of the first GPU."""
    import torch

    found: dict[str, Any] = dict(_query(FIXED + MODES))
    if torch.cuda.is_available():
        card = torch.cuda.get_device_properties(0)
        found |= {"name": card.name, "memory_bytes": card.total_memory, "processors": card.multi_processor_count}
        found |= {"capability": f"{card.major}.{card.minor}", "l2_bytes": getattr(card, "L2_cache_size", None)}
        found |= {
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),
            "count": torch.cuda.device_count(),
        }
        found |= {"tf32_matmul": torch.backends.cuda.matmul.allow_tf32, "tf32_cudnn": torch.backends.cudnn.allow_tf32}
    return {key: value for key, value in found.items() if value is not None}


def moving() -> dict[str, Any]:
    """Clocks, temperature, power and load of the first GPU now, and how many processes of others compute on it."""
    found: dict[str, Any] = dict(_query(MOVING + THROTTLE))
    tenants = _ask("--query-compute-apps=pid,used_memory")
    if tenants is not None:
        found["processes"] = len([line for line in tenants.splitlines() if line.strip()])
    return found


def _query(names: tuple[str, ...]) -> dict[str, str]:
    """The named properties; all are asked for one by one when the tool does not know one of them."""
    text = _ask(f"--query-gpu={','.join(names)}")
    if text is None:
        answers = {name: _ask(f"--query-gpu={name}") for name in names} if _ask("--query-gpu=name") else {}
        return {name: answer.splitlines()[0].strip() for name, answer in answers.items() if answer}
    values = [value.strip() for value in text.splitlines()[0].split(",")] if text else []
    return {n: v for n, v in zip(names, values, strict=False) if v not in ("[N/A]", "[Not Supported]", "")}


def _ask(question: str) -> str | None:
    command = ["nvidia-smi", "--id=0", question, "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
