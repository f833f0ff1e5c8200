"""How many records a second the door takes in: each of 100 measurements with 45 samples."""

import json
import random
import time
import uuid
from pathlib import Path

RECORDS, MEASUREMENTS, SAMPLES, GOAL = 800, 100, 45, 200.0


def report(root: Path) -> int:
    """Ingest so many records in bulk; 1 where it was slower than the goal."""
    from reproductions.ingest import ingest_many

    found = sorted((root / "reproductions/results").rglob("*.json"))
    record = json.loads(found[0].read_text(encoding="utf-8"))
    draw = random.Random(1)
    kept = (record["measurements"] * MEASUREMENTS)[:MEASUREMENTS]
    record["measurements"] = [
        {**row, "n": SAMPLES, "samples": [0.001 * draw.uniform(0.9, 1.1) for _ in range(SAMPLES)]} for row in kept
    ]
    texts = [json.dumps(record | {"run_id": str(uuid.UUID(int=draw.getrandbits(128), version=4))}).encode()
             for _ in range(RECORDS)]  # fmt: skip
    begun = time.perf_counter()
    harvest = ingest_many(texts, origin="published")
    rate = RECORDS / (time.perf_counter() - begun)
    told = f"{harvest.new} new, {len(harvest.broken)} broken, {len(texts[0]) / 1024:.0f} kB each"
    print(f"ingest: {rate:.0f} records a second ({told}; goal {GOAL:.0f})")
    for fault in harvest.broken[:1]:
        print(f"  {str(fault)[:300]}")
    return int(rate < GOAL or harvest.new != RECORDS)
