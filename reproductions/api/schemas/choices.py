"""The few values that some columns can take, told in the document where they are used."""

from dataclasses import dataclass
from typing import Annotated, Any

from django.db.models import TextChoices
from pydantic_core import CoreSchema, core_schema

from reproductions.models import Device, Measurement, Run, Submission
from review.models import Membership
from techniques.models import Claim, Effect, Technique, TechniquePublication, TechniqueRelation


@dataclass(frozen=True)
class OneOf:
    """Exactly the values of ``choices``. Enumerations of one name would stand in each other's way in the document."""

    choices: type[TextChoices]

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        """A schema of these values."""
        return core_schema.literal_schema(list(self.choices.values))


ClaimKind = Annotated[str, OneOf(Claim.Kind)]
DeviceKind = Annotated[str, OneOf(Device.Kind)]
EffectWord = Annotated[str, OneOf(Effect)]
Exactness = Annotated[str, OneOf(Technique.Exactness)]
MembershipStatus = Annotated[str, OneOf(Membership.Status)]
PublicationRole = Annotated[str, OneOf(TechniquePublication.Role)]
Qualifier = Annotated[str, OneOf(Claim.Qualifier)]
RelationKind = Annotated[str, OneOf(TechniqueRelation.Kind)]
Retraining = Annotated[str, OneOf(Technique.Retraining)]
RunOrigin = Annotated[str, OneOf(Run.Origin)]
RunSize = Annotated[str, OneOf(Run.Size)]
RunStatus = Annotated[str, OneOf(Run.Status)]
SubmissionVerdict = Annotated[str, OneOf(Submission.Verdict)]
VariantRole = Annotated[str, OneOf(Measurement.Role)]
