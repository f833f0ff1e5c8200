"""Tries to break the import: broken files by the thousand, none of which may raise, hang, or lose an entry in silence.

    .venv/bin/python tools/fuzz_import.py [FILES] [--seed N] [--atheris SECONDS]

Files are mutations of the shipped bibliography with a fixed seed, so that a failure can be seen again; with --atheris
a coverage-guided fuzzer looks for more. Prints what it did; ends with status 1 and the file at the first failure.
"""

import argparse
import os
import random
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SECONDS = 10  # for a file of ordinary size
STARTS = {
    "bibtex": re.compile(r"^[ \t]*@[ \t]*(?!(?:comment|string|preamble)\b)\w+[ \t]*[{(]", re.MULTILINE | re.IGNORECASE),
    "ris": re.compile(r"^TY[ \t]*-[ \t]", re.MULTILINE),
    "csv": re.compile(r"(?!)"),  # where a row begins is what its reader says
}
Look = Callable[[str, str, Counter[str], bool], str]
LOOKALIKE = str.maketrans("aeopcxy", "аеорсху")
NOISE = (*'{}",=@#\\\n%$', "@article{", "@string{", "@comment{", "\x00", "\ufeff", "TY  - ", "ER  - ", ";")
WHOLE = 20  # of so many files, one goes all the way: stored, applied, undone
RIS = "TY  - JOUR\nAU  - Doe, J\nTI  - A title\nPY  - 2020\nER  - \n"
CSV = 'title,authors,year\n"A title","Doe, J; Roe, R",2020\n'


def cut(text: str, rng: random.Random) -> str:
    """Truncated anywhere."""
    return text[: rng.randrange(len(text) + 1)]


def noise(text: str, rng: random.Random) -> str:
    """Signs of the format strewn in."""
    for _ in range(rng.randrange(1, 30)):
        at = rng.randrange(len(text) + 1)
        text = text[:at] + rng.choice(NOISE) + text[at:]
    return text


def gone(text: str, rng: random.Random) -> str:
    """Stretches taken out."""
    for _ in range(rng.randrange(1, 10)):
        at = rng.randrange(len(text) + 1)
        text = text[:at] + text[at + rng.randrange(1, 60) :]
    return text


def nested(text: str, rng: random.Random) -> str:
    """A value in thousands of braces, closed or not."""
    deep, closed = rng.randrange(1, 5000), rng.random() < 0.5
    return text + f"@misc{{deep, title = {{{'{' * deep}x{'}' * deep if closed else ''}}}}}\n"


def huge(text: str, rng: random.Random) -> str:
    """A title of a megabyte."""
    return text + f"@misc{{huge, title = {{{rng.choice(['a', 'word ', 'é', '{a}']) * 1_000_000}}}}}\n"


def binary(text: str, rng: random.Random) -> str:
    """No text at all."""
    return rng.randbytes(rng.randrange(1, 20_000)).decode("latin-1")


def lookalikes(text: str, rng: random.Random) -> str:
    """Letters that look like others."""
    return text.translate(LOOKALIKE) if rng.random() < 0.3 else text.replace("a", "а")


def many(text: str, rng: random.Random) -> str:
    """A hundred thousand entries."""
    return "".join(f"@misc{{k{number}, title = {{T {number}}}}}\n" for number in range(100_000))


USUAL = (cut, noise, gone, nested, binary, lookalikes, noise, gone)


def main() -> int:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("files", nargs="?", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--atheris", type=int, default=0, metavar="SECONDS")
    options = parser.parse_args()
    if options.atheris:
        return _guided(options.atheris)
    look = _prepare()
    rng, outcomes, slowest, begun = random.Random(options.seed), Counter[str](), 0.0, time.monotonic()
    blocks = re.split(r"(?m)^(?=@)", (ROOT / "review/data/publications.bib").read_text(encoding="utf-8"))[1:]
    for number in range(options.files):
        kind = rng.choices(("bibtex", "ris", "csv"), (8, 1, 1))[0]
        text = {"bibtex": "".join(rng.sample(blocks, 3)), "ris": RIS * 3, "csv": CSV * 3}[kind]
        if number % 5000 == 4999:
            kind, text = "bibtex", many(text, rng)
        else:
            text = (huge if number % 500 == 499 else rng.choice(USUAL))(text, rng)
        at = time.monotonic()
        fault = look(kind, text, outcomes, number % WHOLE == 0)
        slowest = max(slowest, (time.monotonic() - at) if len(text) < 2_000_000 else 0)
        if fault or slowest > SECONDS:
            Path("fuzz-failure.txt").write_text(text, encoding="utf-8", errors="surrogatepass")
            print(f"file {number} ({kind}): {fault or f'took {slowest:.1f} s'}; kept in fuzz-failure.txt")
            return 1
    spent = time.monotonic() - begun
    print(
        f"{options.files} files, {sum(outcomes.values())} entries {dict(outcomes)}, {spent:.0f} s, "
        f"slowest {slowest:.2f} s"
    )
    return 0


def _prepare() -> Look:
    """A function that plans a file against an empty database, or imports and undoes it, and says what went wrong."""
    os.environ["ATLAS_VAR"] = tempfile.mkdtemp(prefix="atlas-fuzz-")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    sys.path.insert(0, str(ROOT))
    import django

    django.setup()
    from django.core.management import call_command

    from review.faults import decode
    from review.importing import batches, ruling, undoing
    from review.importing.planning import Planner
    from review.importing.reading import parents, read
    from review.models import ImportBatch, ImportEntry, Publication, Study

    call_command("migrate", verbosity=0)

    def all_the_way(kind: str, data: bytes) -> int:
        batch = batches.start(f"fuzz.{'bib' if kind == 'bibtex' else kind}", data)
        while batch.state == ImportBatch.State.READING:
            batch = batches.step(batch)
        ruling.confirm(batch)
        undoing.undo(batch)
        if Publication.objects.exists() or Study.objects.exists():
            raise AssertionError("undoing left something")
        return batch.entries.count()

    def look(kind: str, text: str, outcomes: Counter[str], whole: bool) -> str:
        data = text.encode("utf-8", "surrogatepass")
        text = decode(data)[0]
        planner, entries = Planner(parents(kind, text)), list[ImportEntry]()
        for found in read(kind, text):
            if found is not None:
                entries.append(planner.plan(found, len(entries) + 1))
        outcomes.update(str(entry.outcome) for entry in entries)
        lines = text.count("\n") + 1
        if any(not 1 <= entry.line <= lines for entry in entries):
            return "a line that the file does not have"
        if any(entry.outcome == "rejected" and not entry.reason for entry in entries):
            return "rejected without a reason"
        if whole and data.strip() and all_the_way(kind, data) != len(entries):
            return "another number of entries stored than planned"
        expected = len(STARTS[kind].findall(text))
        return f"{expected} entries begin, {len(entries)} are reported" if len(entries) < expected else ""

    return look


def _guided(seconds: int) -> int:
    import atheris

    with atheris.instrument_imports(include=["review", "bibtexparser"]):
        look = _prepare()

    def one(data: bytes) -> None:
        fault = look("bibtex", data.decode("utf-8", "replace"), Counter(), False)
        if fault:
            raise AssertionError(fault)

    corpus = Path(tempfile.mkdtemp(prefix="atlas-corpus-"))
    blocks = re.split(r"(?m)^(?=@)", (ROOT / "review/data/publications.bib").read_text(encoding="utf-8"))[1:]
    for number, block in enumerate(blocks):
        (corpus / str(number)).write_text(block, encoding="utf-8")
    limits = [f"-max_total_time={seconds}", "-max_len=20000", "-timeout=10"]
    atheris.Setup([sys.argv[0], *limits, str(corpus)], one)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
