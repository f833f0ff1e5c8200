"""The decision of the three-way merge, over every case of three contents."""

from itertools import product

import pytest

from review.kinds import Content
from review.merge import Action, decide

A, B, C = ({"value": letter} for letter in "abc")
CASES = list(product((None, A, B, C), repeat=3))


def after(action: Action, site: Content | None, file: Content | None) -> Content | None:
    """What the site holds after an action."""
    return file if action in {Action.CREATE, Action.UPDATE} else site


@pytest.mark.parametrize("prefer", [None, "file", "site"])
@pytest.mark.parametrize(("base", "site", "file"), CASES)
def test_laws(base, site, file, prefer) -> None:
    action = decide(base, site, file, prefer)
    now = after(action, site, file)
    if site is not None:
        assert now is not None, "nothing is deleted by a load"
    if file is None or file == base:
        assert now == site, "what did not change in the files does not change the site"
    elif site == base:
        assert now == file, "what was not touched on the site follows the files"
    elif site != file:
        assert now == (file if prefer == "file" else site), "a conflict is left alone unless somebody decides"
    assert (action is Action.CONFLICT) == (prefer is None and file not in (None, base) and site not in (base, file)), (
        "exactly what changed on both sides, and differently, is a conflict"
    )


@pytest.mark.parametrize("prefer", [None, "file", "site"])
@pytest.mark.parametrize(("base", "site", "file"), CASES)
def test_second_load_changes_nothing(base, site, file, prefer) -> None:
    first = decide(base, site, file, prefer)
    moved = first in {Action.CREATE, Action.UPDATE, Action.AGREE}
    base_now = file if moved else None if first is Action.FORGET else base
    second = decide(base_now, after(first, site, file), file, prefer)
    assert second in {Action.NOTHING, Action.KEEP, Action.VANISHED, Action.CONFLICT}
    if prefer:
        assert second is not Action.CONFLICT


@pytest.mark.parametrize(
    ("base", "site", "file", "action"),
    [
        (None, None, A, Action.CREATE),
        (A, A, B, Action.UPDATE),
        (A, B, A, Action.KEEP),
        (A, B, C, Action.CONFLICT),
        (A, B, B, Action.AGREE),
        (None, A, A, Action.AGREE),
        (None, A, B, Action.CONFLICT),
        (A, None, A, Action.KEEP),
        (A, None, B, Action.CONFLICT),
        (A, A, A, Action.NOTHING),
        (A, B, None, Action.VANISHED),
        (A, None, None, Action.FORGET),
        (None, A, None, Action.NOTHING),
    ],
)
def test_named_cases(base, site, file, action) -> None:
    assert decide(base, site, file) is action
