from techniques.models import Technique
from techniques.tradeoff import card, sentence


def test_what_nobody_reported_says_so() -> None:
    assert {side.word for side in card(Technique())} == {"not reported"}
    assert sentence(Technique()) == ""


def test_the_words_follow_the_effects() -> None:
    technique = Technique(speed_effect="better", memory_effect="better", accuracy_effect="same", retraining="none")
    words = [side.word for side in card(technique)]
    assert words == ["faster", "less", "unchanged", "none", "not reported"]
    assert sentence(technique) == "Faster, less memory, accuracy unchanged"


def test_worse_is_never_called_better() -> None:
    technique = Technique(speed_effect="worse", memory_effect="worse", accuracy_effect="worse")
    assert sentence(technique) == "Slower, more memory, accuracy lower"
