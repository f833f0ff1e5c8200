"""Reference implementations, one folder per technique. Discovery reads the folders; nothing is registered here."""
