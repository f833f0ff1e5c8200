"""The admin of this app: the proof to look at, the tokens to make and revoke, the records from outside."""

from reproductions.admin import outside, proof, tokens

__all__ = ["outside", "proof", "tokens"]
