"""The programming interface below /api/v1/: reading for everybody, sending in for those with a token."""
