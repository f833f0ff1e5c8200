"""Claims beside measurements: a judgement, and where its two marks stand on the axis of gains."""

from dataclasses import dataclass

from reproductions import marks
from reproductions.judging import UNLIKE, Figure, Judgement, Reason, Verdict
from reproductions.marks import ClaimMark, MeasuredMark
from reproductions.models import Run
from techniques.models import Claim


@dataclass(frozen=True)
class Comparison:
    """One row of the chart: a claim, what came back, and what the two are to each other."""

    judgement: Judgement
    mark: ClaimMark | None
    measured: MeasuredMark | None

    @property
    def claim(self) -> Claim:
        """The claim."""
        return self.judgement.claim

    @property
    def verdict(self) -> Verdict:
        """The verdict on it."""
        return self.judgement.verdict

    @property
    def figure(self) -> Figure | None:
        """The measured figure."""
        return self.judgement.figure

    @property
    def run(self) -> Run | None:
        """The run that the figure comes from."""
        return self.judgement.run

    @property
    def reasons(self) -> list[Reason]:
        """Why the two are not like for like."""
        return self.judgement.reasons

    @property
    def device(self) -> str:
        """Where it was measured."""
        return self.run.device.name if self.run and self.run.device else "an unknown device"


def draw(judgement: Judgement) -> Comparison:
    """The marks of a judgement; a figure is drawn only where the claim has a gain to stand beside."""
    drawn, figure = marks.of_claim(judgement.claim), judgement.figure
    if drawn is None or figure is None or figure.value <= 0:
        return Comparison(judgement, drawn, None)
    mark = marks.of_measurement(figure.value, figure.low, figure.high, hollow=judgement.verdict == UNLIKE)
    return Comparison(judgement, drawn, mark)
