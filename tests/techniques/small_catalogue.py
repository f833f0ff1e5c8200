"""A catalogue of a few records as text, for tests that load, break and edit one."""

from pathlib import Path

FILES = {
    "review/data/publications.bib": """\
@article{alpha,
  title = {{Alpha}: a way},
  author = {Doe, Jane and {The Alpha Team}},
  year = {2021},
  month = jul,
  journal = {Journal of Ways},
  url = {https://example.org/alpha}
}

@misc{beta,
  title = {Beta},
  author = {Roe, Richard},
  year = {2022}
}

@misc{beta-preprint,
  title = {Beta, the preprint},
  author = {Roe, Richard},
  year = {2021}
}
""",
    "review/data/studies.csv": "publication,study\nbeta-preprint,beta\n",
    "review/data/reviews.toml": """\
[[review]]
slug = "the-review"
published = true
title = "The review"
authors = ["Ann Other"]
year = 2024
records_identified = 983
case_studies = ["alpha"]
bibtex = '''
@article{r,
  title = {The review}
}
'''
""",
    "review/data/membership.csv": """\
publication,membership,evidence_url,note
alpha,confirmed,https://example.org/list,"named, in a list"
beta,reconstructed,,
""",
    "techniques/data/taxonomy.toml": """\
[[source]]
slug = "ours"
name = "ours"

[[class]]
slug = "training"
name = "Training"
source = "ours"
definition = "Making a model."

[[strategy]]
slug = "whole"
name = "Whole"
parent = ""
source = "ours"
definition = "Everything."

[[strategy]]
slug = "part"
name = "Part"
parent = "whole"
source = "ours"
definition = "Some of it."

[[response]]
slug = "answer"
name = "Answer"
source = "ours"
definition = "An answer."

[[challenge]]
slug = "cost"
name = "Cost"
source = "ours"
definition = "What it costs."
""",
    "techniques/catalogue/alpha/technique.toml": """\
slug = "alpha"
name = "Alpha: a way"
class = "training"
strategies = ["part", "whole"]
responses = ["answer"]
challenges = []
named = true
wave = 1
idea = "Do less."
implementation = "less"

[tradeoff]
speed = {effect = "better", text = "less to do"}
memory = {effect = "same", text = "as before"}
accuracy = {effect = "worse", text = "a little"}
retraining = "none"
retraining_text = "as it is"
exactness = "lossy"
hardware = ["gpu", "cpu"]
hardware_text = "any"
saves = ["latency"]

[[publications]]
key = "alpha"
role = "introduces"

[[publications]]
key = "beta"
role = "evaluates"

[[related]]
slug = "beta"
kind = "combines-with"
note = "both"

[[claims]]
id = "alpha-1"
publication = "alpha"
metric = "latency"
kind = "speedup"
qualifier = "average"
value_low = 2
value_high = 3.5
unit = "x"
comparator = "the whole"
source_url = "https://example.org/alpha"
[claims.like_for_like]
device_class = "gpu"
devices = 4

[[claims]]
id = "alpha-2"
publication = "beta"
metric = "model_size"
kind = "absolute"
value_low = 3
value_high = 3
unit = "bits"
source_url = "https://example.org/beta"
tolerance = 0.05
""",
    "techniques/catalogue/alpha/page.md": "## Problem\n\nToo much [@alpha].\n",
    "techniques/catalogue/beta/technique.toml": """\
slug = "beta"
name = "Beta"
class = "training"
strategies = []
responses = []
challenges = ["cost"]
idea = "Do it later."

[tradeoff]
retraining = "none"
exactness = "exact"
""",
}
ALPHA, BETA = (f"techniques/catalogue/{slug}/technique.toml" for slug in ("alpha", "beta"))
PAGE = "techniques/catalogue/alpha/page.md"
BIB, MEMBERS = "review/data/publications.bib", "review/data/membership.csv"
REVIEWS, TAXONOMY = "review/data/reviews.toml", "techniques/data/taxonomy.toml"


def small_catalogue(root: Path) -> Path:
    """Write the files below ``root``."""
    for name, text in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def edit(root: Path, name: str, old: str, new: str) -> None:
    """Replace ``old``, which must stand in the file once, by ``new``."""
    text = (root / name).read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {name}"
    (root / name).write_text(text.replace(old, new), encoding="utf-8")


def line_of(root: Path, name: str, text: str) -> int:
    """The line, from 1, that ``text`` begins on; it stands in the file once."""
    before, found, after = (root / name).read_text(encoding="utf-8").partition(text)
    assert found
    assert text not in after
    return before.count("\n") + 1
