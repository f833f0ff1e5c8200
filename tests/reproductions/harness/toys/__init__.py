"""Small techniques for the harness's own tests, found by discovery like real ones."""
