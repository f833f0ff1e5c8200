"""The search over publications: title and key first, then people, then venue and identifiers, then notes."""

from review.fulltext import Index
from review.models import Publication

PUBLICATIONS = Index(Publication, heads=("title", "key"), weights=(10, 8, 5, 2, 2, 2, 1))
