"""The whole catalogue as files: both floors read, checked against each other, and written. Knows no database."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from review import data_files, screening_files
from review.faults import Fault
from review.kinds import Content, Parsed
from review.records import KINDS as REVIEW_KINDS
from techniques import markdown, taxonomy_files, technique_files
from techniques.records import KINDS as TECHNIQUE_KINDS
from techniques.records import TECHNIQUE

# Each kind after those that it points at.
KINDS = (*REVIEW_KINDS, *TECHNIQUE_KINDS)


def read(root: Path) -> Parsed:
    """Every record under ``root`` and every fault, in the order of files and lines."""
    parsed = data_files.read(root)
    parsed.add(screening_files.read(root))
    parsed.add(taxonomy_files.read(root))
    folders = sorted(path for path in (root / technique_files.CATALOGUE).glob("[!.]*") if path.is_dir())
    if not folders:
        parsed.faults.append(Fault(technique_files.CATALOGUE, None, "", "there is no technique"))
    for folder in folders:
        parsed.add(technique_files.read(folder))
    parsed.check()
    parsed.faults += _unknown_citations(parsed)
    parsed.faults.sort(key=lambda fault: fault.order)
    return parsed


def _unknown_citations(parsed: Parsed) -> Iterator[Fault]:
    for record in parsed.of(TECHNIQUE):
        article = record.content["article"]
        suspects = [key for match in markdown.CITATION.findall(article) for key in markdown.keys(match)]
        if all(parsed.knows("publication", key) for key in suspects):
            continue
        # Something in brackets may stand in code or a formula: only now is the article worth parsing.
        for key in sorted({key for key in cited(article) if not parsed.knows("publication", key)}):
            line = next((number for number, text in enumerate(article.split("\n"), 1) if f"@{key}" in text), None)
            file = f"{technique_files.CATALOGUE}/{record.key}/page.md"
            yield Fault(file, line, f"[@{key}]", f"no publication {key!r}")


def cited(article: str) -> list[str]:
    """The keys that an article cites, in order."""
    blocks = markdown.parser().parse(article)
    inline = (token for block in blocks for token in block.children or ())
    return [key for token in inline if token.type == "citation" for key in markdown.keys(token.content)]


def written(contents: Mapping[str, Mapping[str, Content]]) -> dict[str, str]:
    """The files for these ``contents`` (kind → key → content): path → text, from which ``read`` gives them back.

    Raises ``ValueError`` for a publication that BibTeX cannot hold.
    """
    evidence = data_files.written(contents) | screening_files.written(contents)
    return evidence | taxonomy_files.written(contents) | technique_files.written(contents)
