"""What makes two runs not like for like, a sentence each, in the fields that the verdicts on claims use.

``grave`` tells what changes the meaning of a ratio from what is only good to know, such as another seed.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from reproductions import wording
from reproductions.models import Run

# Packages whose version changes what is measured.
PACKAGES = ("torch", "triton", "numpy")
# What a case says of itself beyond its sweep and point, and what that is called here.
WORKLOAD = {"dtype": "dtype", "ranks": "number of processes", "clock": "clock", "shapes": "set of shapes"}
SHOWN = 3


@dataclass(frozen=True)
class Unlike:
    """One thing in which the runs differ: the field, and a sentence."""

    field: str
    sentence: str
    grave: bool = True


@dataclass(frozen=True)
class Side:
    """A run and what its record says beyond the columns of the run."""

    run: Run
    seed: Any = None
    processes: Any = None
    simulated: Any = None
    emulated: Any = None
    digests: Mapping[str, Any] | None = None
    cases: Iterable[Mapping[str, Any]] = ()

    def digest(self, part: str) -> str:
        """The digest of a part of the code."""
        return str((self.digests or {}).get(part) or "")

    def package(self, name: str) -> str:
        """The version of a package; empty where the record does not say it."""
        packages = (self.run.environment or {}).get("packages")
        return str(packages.get(name) or "") if isinstance(packages, dict) else ""


def unlike(a: Side, b: Side) -> list[Unlike]:
    """Everything in which the two runs are not like for like, what weighs most first."""
    found = [*_evidence(a, b), *_subject(a, b), *_place(a, b), *_workload(a, b), *_code(a, b), *_course(a, b)]
    return sorted(found, key=lambda one: not one.grave)


def _evidence(a: Side, b: Side) -> Iterator[Unlike]:
    """What keeps either from being evidence at all."""
    for letter, side in (("A", a), ("B", b)):
        run = side.run
        if run.smoke:
            yield Unlike("smoke", f"{letter} is a smoke test: it shows that everything works and measures nothing.")
        if run.noisy:
            yield Unlike(
                "noisy", f"{letter} is noisy: {(run.noisy_reason or 'its record does not say why').rstrip('.')}."
            )
        if not run.accepted:
            yield Unlike("not accepted", f"{letter} was sent in from outside, and no curator has accepted it.")
        if side.simulated is True:
            yield Unlike("simulated", f"{letter} is simulated: its times come from a model of the hardware.")
        if side.emulated is True:
            yield Unlike("emulated", f"{letter} is emulated: its kernels ran in an interpreter.")
        if run.dirty:
            yield Unlike("commit", f"{letter} ran on code with changes that its commit does not hold.")


def _subject(a: Side, b: Side) -> Iterator[Unlike]:
    one, two = a.run, b.run
    if one.technique_id != two.technique_id:
        names = one.technique.short_name, two.technique.short_name
        yield _differ("technique", names, "Only what both name alike is compared")
    if one.size != two.size:
        yield _differ("size", (one.size, two.size), "A size is a workload of its own")


def _place(a: Side, b: Side) -> Iterator[Unlike]:
    one, two = a.run, b.run
    if one.device_id != two.device_id or one.device is None:
        names = tuple(run.device.name if run.device else "" for run in (one, two))
        yield _differ("device", names, "A number belongs to the device it was measured on")
        kinds = {run.device.get_kind_display() for run in (one, two) if run.device}
        if len(kinds) > 1:
            yield Unlike("device class", "One ran on a CPU, the other on a GPU.")
    if one.device_count != two.device_count:
        yield _differ("devices", (one.device_count, two.device_count), called="number of devices")
    for name in PACKAGES:
        if a.package(name) != b.package(name):
            yield _differ("version", (a.package(name), b.package(name)), called=f"version of {name}")
    pythons = tuple((run.environment or {}).get("python") for run in (one, two))
    if pythons[0] != pythons[1]:
        yield _differ("version", pythons, called="version of Python", grave=False)


def _workload(a: Side, b: Side) -> Iterator[Unlike]:
    """Where cases of one name are not the same work."""
    cases = [{(str(c.get("sweep")), str(c.get("point"))): c for c in side.cases} for side in (a, b)]
    shared = [name for name in cases[0] if name in cases[1]]
    for key, called in WORKLOAD.items():
        pairs = {name: (cases[0][name].get(key), cases[1][name].get(key)) for name in shared}
        differing = {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
        if not differing:
            continue
        where = ", ".join(f"{sweep} {point}" for sweep, point in list(differing)[:SHOWN])
        more = f" and {len(differing) - SHOWN} more" if len(differing) > SHOWN else ""
        said = next(iter(differing.values()))
        values = "" if key == "shapes" else f": {_said(said[0])} in A, {_said(said[1])} in B"
        yield Unlike("workload", f"The {called} of the same case differs at {where}{more}{values}.")


def _code(a: Side, b: Side) -> Iterator[Unlike]:
    one, two = a.run, b.run
    if one.technique_id == two.technique_id and one.code_digest != two.code_digest:
        yield _differ("code", (one.code_digest[:12], two.code_digest[:12]), called="digest of the technique's code")
    for part, what in (("harness", "the harness that measures"), ("testbed", "the testbed")):
        if a.digest(part) != b.digest(part):
            yield Unlike("code", f"The code of {what} is not the same in both.", grave=False)
    if one.schema != two.schema:
        older = "A" if (one.schema or 0) < (two.schema or 0) else "B"
        why = f"{older} was written by an older harness"
        yield _differ("schema", (one.schema, two.schema), why, called="schema of the record")


def _course(a: Side, b: Side) -> Iterator[Unlike]:
    """How the two were run."""
    if a.processes != b.processes:
        why = "An interval over fewer fresh processes says less"
        yield _differ("processes", (a.processes, b.processes), why, called="number of fresh processes")
    if a.run.parameters != b.run.parameters:
        names = sorted(
            name
            for name in {*a.run.parameters, *b.run.parameters}
            if a.run.parameters.get(name) != b.run.parameters.get(name)
        )
        told = ", ".join(names[: 2 * SHOWN])
        yield Unlike("parameters", f"They ran with other parameters: {told}.", grave=False)
    if a.seed != b.seed:
        why = "The inputs are other random numbers of the same kind"
        yield _differ("seed", (a.seed, b.seed), why, grave=False)


def _differ(field: str, pair: Any, why: str = "", called: str = "", grave: bool = True) -> Unlike:
    sentence = f"The {called or field} differs: {_said(pair[0])} in A, {_said(pair[1])} in B."
    return Unlike(field, f"{sentence} {why}." if why else sentence, grave)


def _said(value: object) -> str:
    return wording.NOT_REPORTED if value in (None, "") else str(value)[:120]
