"""How much is measured at each size, and how long it may take."""

from .race import Plan

PROCESSES = {"tiny": 1, "cpu": 3, "gpu": 3}
BUDGETS = {"tiny": 8.0, "cpu": 150.0, "gpu": 150.0}  # seconds of racing of one technique, over all processes and cases
PATIENCE = 6.0  # a run that takes longer than this many budgets hangs


def plan_for(size: str, budget: float) -> Plan:
    """The plan of one race; ``budget`` is in seconds. The least number of rounds is kept even when it takes longer."""
    if size == "tiny":
        return Plan(warmup=1, rounds=5, most=5, budget=budget, ambushes=2)
    if size == "cpu":
        return Plan(warmup=3, rounds=15, most=200, budget=budget, ambushes=3)
    return Plan(warmup=3, rounds=50, most=500, budget=budget, ambushes=5)


def device_for(size: str) -> str:
    """The device of a size: ``gpu`` asks for CUDA, the others run on the CPU."""
    return "cuda" if size == "gpu" else "cpu"
