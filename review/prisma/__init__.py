"""The PRISMA 2020 flow of a review: counted from its screening, or told by what it reported."""

from review.models import Review
from review.prisma.counting import counted
from review.prisma.flow import Flow
from review.prisma.reported import reported

__all__ = ["flow_of"]


def flow_of(review: Review) -> Flow:
    """The flow of ``review``. A published one has what it reported; any other is counted once it has records."""
    return (None if review.published else counted(review)) or reported(review)
