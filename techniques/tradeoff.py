"""The trade-off card of a technique: speed, memory, accuracy, retraining, hardware, each in a word and a line."""

from dataclasses import dataclass

from techniques.models import Technique

HARDWARE = {
    "any": "any",
    "cpu": "CPU",
    "gpu": "one GPU",
    "multi-gpu": "several GPUs",
    "cluster": "cluster",
    "tpu": "TPU",
    "fpga": "FPGA",
    "asic": "ASIC",
    "ssd": "SSD",
}
# What each side of the trade is called when it gets better, gets worse, or stays; and the shape that goes with it.
WORDS = {
    "speed": {"better": ("faster", "above"), "worse": ("slower", "below")},
    "memory": {"better": ("less", "below"), "worse": ("more", "above")},
    "accuracy": {"better": ("higher", "above"), "worse": ("lower", "below")},
}
BOTH = {"same": ("unchanged", "none"), "depends": ("depends", "unlike")}
UNKNOWN = ("not reported", "")


@dataclass(frozen=True)
class Side:
    """One side of the card: its title, one word with its shape, and a line that explains."""

    title: str
    word: str
    mark: str
    text: str


def card(technique: Technique) -> list[Side]:
    """The five sides in the order of the page; what nobody reported says so."""
    sides = []
    for name, words in WORDS.items():
        word, mark = (words | BOTH).get(getattr(technique, f"{name}_effect"), UNKNOWN)
        sides.append(Side(name.capitalize(), word, mark, getattr(technique, f"{name}_text")))
    retraining = technique.get_retraining_display() if technique.retraining else UNKNOWN[0]
    needs = {"none": "none", "": ""}.get(technique.retraining, "above")
    hardware = ", ".join(HARDWARE.get(name, name) for name in technique.hardware) or UNKNOWN[0]
    return [
        *sides,
        Side("Retraining", retraining, needs, technique.retraining_text),
        Side("Hardware", hardware, "implemented" if technique.hardware else "", technique.hardware_text),
    ]


def sentence(technique: Technique) -> str:
    """The trade as a heading: ``Faster, less memory, accuracy unchanged``; empty where nothing was reported."""
    speed, memory, accuracy = (
        (words | BOTH).get(getattr(technique, f"{name}_effect"), UNKNOWN)[0] for name, words in WORDS.items()
    )
    said = [
        {"unchanged": "speed unchanged"}.get(speed, speed),
        {"unchanged": "memory unchanged"}.get(memory, f"{memory} memory"),
        f"accuracy {accuracy}",
    ]
    joined = ", ".join(part for part in said if "depends" not in part and UNKNOWN[0] not in part)
    return joined[:1].upper() + joined[1:]
