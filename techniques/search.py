"""The search over techniques: the name first, then the idea, then what an implementation holds, then the article."""

from review.fulltext import Index
from techniques.models import Technique

TECHNIQUES = Index(Technique, heads=("name", "slug"), weights=(10, 8, 5, 2, 1))
