"""The fault campaign: real workers, real signals, a throwaway site, and an audit of what became of every run."""
