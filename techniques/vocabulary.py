"""The words that a technique and its claims may use: metrics with their kinds and units, hardware, what is saved.

Knows no database, so that files, forms and the admin ask the same tables.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

HARDWARE = ("any", "gpu", "multi-gpu", "tpu", "fpga", "asic", "cpu", "ssd", "cluster")
SAVES = ("compute", "memory", "communication", "energy", "money", "latency")

RELATIVE = ("x", "%")
SHARE = ("%",)
PARAMETERS = ("million parameters", "billion parameters", "trillion parameters")
BYTES = ("KB", "MB", "GB", "TB", "KiB", "MiB", "GiB", "TiB")
TIMES = ("µs", "ms", "s", "minutes", "hours", "days")


@dataclass(frozen=True)
class Metric:
    """What may be said of one metric: its units for each kind of claim, and the word for more and for less of it.

    A ``signed`` metric may be negative; a ``bounded`` one, in per cent, ends at 100.
    """

    kinds: Mapping[str, Sequence[str]]
    more: str = "more"
    less: str = "less"
    signed: bool = False
    bounded: bool = False

    @property
    def units(self) -> list[str]:
        """Every unit of the metric, each once."""
        return list(dict.fromkeys(unit for units in self.kinds.values() for unit in units))


def _cost(units: Sequence[str], more: str = "higher", less: str = "lower") -> Metric:
    return Metric({"reduction": RELATIVE, "ratio": RELATIVE, "absolute": units}, more, less)


def _time(units: Sequence[str], more: str, less: str) -> Metric:
    return Metric({"speedup": RELATIVE, "reduction": RELATIVE, "ratio": RELATIVE, "absolute": units}, more, less)


METRICS: dict[str, Metric] = {
    "accuracy_drop": Metric(
        {"absolute": ("%", "percentage points"), "reduction": RELATIVE, "ratio": RELATIVE},
        "larger", "smaller", signed=True,
    ),
    "communication_volume": _cost(BYTES, "more", "less"),
    "cost": _cost(("USD", "USD per million tokens", "GPU-hours")),
    "energy": _cost(("J", "kJ", "kWh", "MWh", "J/token", "mJ/token"), "more", "less"),
    "latency": _time((*TIMES[:3], "ms/token", "s/token"), "higher", "lower"),
    "max_model_size": Metric({"absolute": PARAMETERS, "ratio": RELATIVE}, "larger", "smaller"),
    "mfu": Metric({"absolute": SHARE, "ratio": RELATIVE, "speedup": RELATIVE}, "higher", "lower", bounded=True),
    "model_size": _cost((*PARAMETERS, "bits", *BYTES), "larger", "smaller"),
    "peak_memory": _cost((*BYTES, "GB per billion parameters"), "higher", "lower"),
    "recomputation_overhead": _cost(SHARE, "more", "less"),
    "runtime_overhead": _cost((*SHARE, *TIMES[:3]), "more", "less"),
    "scaling_efficiency": Metric(
        {"absolute": SHARE, "ratio": RELATIVE, "speedup": RELATIVE}, "higher", "lower"
    ),
    "sparsity": Metric({"absolute": SHARE, "ratio": RELATIVE}, "higher", "lower", bounded=True),
    "throughput": Metric(
        {
            "speedup": RELATIVE,
            "ratio": RELATIVE,
            "absolute": ("token/s", "request/s", "sample/s", "step/s", "TFLOP/s", "TFLOP/s per GPU", "PFLOP/s"),
        },
        "higher", "lower",
    ),
    "trainable_parameters": _cost(PARAMETERS, "more", "fewer"),
    "training_time": _time((*TIMES[1:], "GPU-hours"), "longer", "shorter"),
}  # fmt: skip
UNITS = tuple(dict.fromkeys(unit for metric in METRICS.values() for unit in metric.units))


def known(words: Sequence[str]) -> str:
    """The words of a list, for the end of a message."""
    return ", ".join(words)
