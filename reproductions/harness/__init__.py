"""The harness: it checks, races and records a reference implementation, and knows no technique by name."""
