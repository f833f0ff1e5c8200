"""Measures an import: wall time, processor time and peak memory of the command, on files made with a fixed seed.

    .venv/bin/python tools/bench_import.py [ENTRIES ...]

Each file is imported into a new database, so that every entry is compared with those before it. An entry has about a
kilobyte: a title of nine words, four authors with accents, an abstract.
"""

import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COMMAND = [sys.executable, "manage.py"]


def written(path: Path, count: int) -> None:
    """A BibTeX file of ``count`` entries; one in fifty repeats the DOI of another."""
    rng = random.Random(3)
    words = [f"word{number}" for number in range(4000)]
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            doi = number - 25 if number % 50 == 49 else number
            people = " and ".join(rf"Fam{rng.randrange(3000)}, A{{\'e}}l" for _ in range(4))
            file.write(
                f"@article{{key{number},\n  title = {{{' '.join(rng.choices(words, k=9))}}},\n"
                f"  author = {{{people}}},\n  journal = {{A Journal}},\n  year = {{{rng.randrange(1990, 2024)}}},\n"
                f"  doi = {{10.1/{doi}}},\n  abstract = {{{' '.join(rng.choices(words, k=90))}}}\n}}\n\n"
            )


def measure(count: int) -> None:
    """Import a file of ``count`` entries, and print what it took."""
    with tempfile.TemporaryDirectory(prefix="atlas-bench-") as folder:
        environment = os.environ | {"ATLAS_VAR": folder, "DATABASE_URL": ""}
        file = Path(folder) / "bench.bib"
        written(file, count)
        subprocess.run([*COMMAND, "migrate", "-v0"], cwd=ROOT, env=environment, check=True)
        begun = time.monotonic()
        command = [*COMMAND, "import_bibtex", str(file)]
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        said = process.stdout.read().strip() if process.stdout else ""
        _, status, used = os.wait4(process.pid, 0)
        wall = time.monotonic() - begun
        print(
            f"{count} entries, {file.stat().st_size / 1e6:.1f} MB: {wall:.1f} s, processor "
            f"{used.ru_utime + used.ru_stime:.1f} s, peak {used.ru_maxrss / 1024:.0f} MB, status {status}; {said}",
            flush=True,
        )


if __name__ == "__main__":
    for size in [int(word) for word in sys.argv[1:]] or [1_000, 10_000]:
        measure(size)
