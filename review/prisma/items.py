"""The 27 items of the PRISMA 2020 checklist, 42 with their parts, in short words of ours.

The statement itself: Page et al., BMJ 2021;372:n71, https://doi.org/10.1136/bmj.n71.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Item:
    """One item: its number and letter, the section of a report it belongs to, and what it asks for."""

    number: str
    section: str
    topic: str


_SECTIONS: dict[str, dict[str, str]] = {
    "Title": {"1": "Says that it is a systematic review"},
    "Abstract": {"2": "Abstract after the checklist for abstracts"},
    "Introduction": {
        "3": "Why the review was needed, given what is known",
        "4": "What it asks",
    },
    "Methods": {
        "5": "Eligibility criteria, and how studies were grouped",
        "6": "Sources searched, and when",
        "7": "Full search strategies, with filters and limits",
        "8": "Selection of studies: how many screened, how independently, with which tools",
        "9": "Collection of data from reports",
        "10a": "Outcomes that data were sought for",
        "10b": "Other variables that data were sought for",
        "11": "How the risk of bias of each study was judged",
        "12": "Effect measures of each outcome",
        "13a": "Which studies went into which synthesis",
        "13b": "Preparing data for synthesis",
        "13c": "Showing results of studies and syntheses",
        "13d": "Methods of synthesis",
        "13e": "Exploring why results differ",
        "13f": "Sensitivity analyses",
        "14": "How bias from missing results was judged",
        "15": "How certainty of the evidence was judged",
    },
    "Results": {
        "16a": "Flow from records to included studies",
        "16b": "Reports excluded that might seem to qualify, and why",
        "17": "Each included study with its characteristics",
        "18": "Risk of bias in each study",
        "19": "Results of each study",
        "20a": "Traits and risk of bias of what went into each synthesis",
        "20b": "Results of the syntheses",
        "20c": "Causes of differing results",
        "20d": "Results of the sensitivity analyses",
        "21": "Bias from missing results in each synthesis",
        "22": "Certainty of the evidence for each outcome",
    },
    "Discussion": {
        "23a": "Results read beside other evidence",
        "23b": "Limits of the evidence",
        "23c": "Limits of the review's own process",
        "23d": "What follows for practice, policy and research",
    },
    "Other information": {
        "24a": "Registration: register and number, or that there is none",
        "24b": "Where the protocol can be read, or that there is none",
        "24c": "Changes to what was registered or planned",
        "25": "Support, and the part the funders had",
        "26": "Competing interests",
        "27": "Data, code and other material that can be had, and where",
    },
}
ITEMS = tuple(Item(number, section, topic) for section, one in _SECTIONS.items() for number, topic in one.items())
NUMBERS = tuple(item.number for item in ITEMS)
