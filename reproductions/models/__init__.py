"""The proof: runs of reference implementations, the devices they ran on, what was measured, and who sent it."""

from reproductions.models.devices import Device, Worker
from reproductions.models.runs import ImmutableRun, Measurement, Remark, Run
from reproductions.models.submissions import Submission, Token

__all__ = ["Device", "ImmutableRun", "Measurement", "Remark", "Run", "Submission", "Token", "Worker"]
