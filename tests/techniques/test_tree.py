"""The tree of strategies: moves, and circles that cannot close."""

import threading

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test import Client
from django.urls import reverse

from techniques import tree
from techniques.models import Strategy
from tests import factories
from tests.factories import signed_in

MOVE = "admin:techniques_strategy_move"


def node(slug: str, parent: Strategy | None = None, position: int = 0) -> Strategy:
    return factories.strategy(slug=slug, name=slug, parent=parent, position=position)


def drawn() -> list[str]:
    """The tree as it is drawn, a dash for each step of depth."""
    return ["-" * one.tree_depth + one.slug for one in Strategy.objects.with_tree_fields()]


@pytest.fixture
def small(db):
    """The tree a (b, c), d."""
    a = node("a", position=0)
    return {"a": a, "b": node("b", a, 1), "c": node("c", a, 2), "d": node("d", position=3)}


@pytest.mark.parametrize(
    ("slug", "direction", "after"),
    [
        ("c", "up", ["a", "-c", "-b", "d"]),
        ("b", "down", ["a", "-c", "-b", "d"]),
        ("d", "up", ["d", "a", "-b", "-c"]),
        ("a", "down", ["d", "a", "-b", "-c"]),
        ("d", "in", ["a", "-b", "-c", "-d"]),
        ("c", "in", ["a", "-b", "--c", "d"]),
        ("b", "out", ["a", "-c", "b", "d"]),
        ("c", "out", ["a", "-b", "c", "d"]),
    ],
)
def test_a_step_moves_a_node_and_its_branch(small, slug, direction, after):
    tree.step(small[slug].pk, direction)
    assert drawn() == after
    assert small[slug].history.first().history_change_reason == "moved"


@pytest.mark.parametrize(
    ("slug", "direction", "reason"),
    [
        ("a", "up", "first"), ("d", "down", "last"), ("b", "in", "nothing above"), ("a", "out", "at the top"),
        ("a", "sideways", "no such move"),
    ],
)  # fmt: skip
def test_a_step_that_leads_nowhere_says_so(small, slug, direction, reason):
    before = Strategy.history.count()
    with pytest.raises(tree.Refused, match=reason):
        tree.step(small[slug].pk, direction)
    assert (drawn(), Strategy.history.count()) == (["a", "-b", "-c", "d"], before)


@pytest.mark.parametrize(
    ("slug", "where", "other", "after"),
    [
        ("d", "before", "c", ["a", "-b", "-d", "-c"]),
        ("b", "after", "d", ["a", "-c", "d", "b"]),
        ("b", "below", "d", ["a", "-c", "d", "-b"]),
        ("d", "below", "b", ["a", "-b", "--d", "-c"]),
        ("c", "below", "a", ["a", "-b", "-c", "d"]),
    ],
)
def test_a_node_lands_where_it_is_dropped(small, slug, where, other, after):
    tree.place(small[slug].pk, where, small[other].pk)
    assert drawn() == after


@pytest.mark.parametrize(("slug", "where", "other"), [("a", "below", "c"), ("a", "after", "b"), ("a", "below", "a")])
def test_no_node_is_dropped_into_itself(small, slug, where, other):
    with pytest.raises(tree.Refused):
        tree.place(small[slug].pk, where, small[other].pk)
    assert drawn() == ["a", "-b", "-c", "d"]


def test_a_move_writes_as_few_nodes_as_it_can_and_survives_the_last_position(small):
    before = Strategy.history.count()
    tree.step(small["d"].pk, "in")
    assert Strategy.history.count() == before + 1
    Strategy.objects.filter(slug="c").update(position=32767)
    tree.place(small["b"].pk, "after", small["c"].pk)
    assert [one.slug for one in Strategy.objects.filter(parent=small["a"])] == ["d", "c", "b"]


def test_saving_a_circle_is_refused_although_no_form_looked(small):
    stale = Strategy.objects.get(slug="a")
    stale.parent = small["c"]
    with pytest.raises(ValidationError, match="below itself"):
        stale.save()
    assert drawn() == ["a", "-b", "-c", "d"]


@pytest.mark.django_db(transaction=True)
def test_two_moves_at_once_close_no_circle():
    if connection.vendor == "sqlite":
        pytest.skip("a database in memory has one connection")
    a, b = node("a"), node("b")
    start, refused = threading.Barrier(2), []

    def below(pk: int, other: int) -> None:
        start.wait()
        try:
            tree.place(pk, "below", other)
        except tree.Refused as reason:
            refused.append(reason)
        finally:
            connection.close()

    threads = [threading.Thread(target=below, args=pair) for pair in ((a.pk, b.pk), (b.pk, a.pk))]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(refused) == 1
    assert Strategy.objects.filter(parent=None).count() == 1


@pytest.mark.parametrize(("group", "may"), [("reader", False), ("screener", False), ("runner", False),
                                            ("curator", True), ("owner", True)])  # fmt: skip
def test_who_may_move(small, group, may):
    answer = signed_in(group).post(reverse(MOVE), {"move": f"{small['c'].pk}:up"})
    assert answer.status_code == (302 if may else 403)
    assert drawn() == (["a", "-c", "-b", "d"] if may else ["a", "-b", "-c", "d"])
    if may:
        assert answer.url.endswith(f"#move-{small['c'].pk}-up")
        assert small["c"].history.first().history_user is not None


def test_strangers_are_led_to_the_door_and_nobody_moves_by_a_link(small):
    for client in (Client(), signed_in("curator", staff=False)):
        assert reverse("admin:login") in client.post(reverse(MOVE), {"move": f"{small['c'].pk}:up"}).url
    assert signed_in("curator").get(reverse(MOVE), {"move": f"{small['c'].pk}:up"}).status_code == 405
    assert drawn() == ["a", "-b", "-c", "d"]


@pytest.mark.parametrize("sent", [{}, {"move": "x:up"}, {"move": "1"}, {"move": "9" * 40 + ":up"}, {"move": "\0:\0"},
                                  {"move": "424242:below", "other": "²"}])  # fmt: skip
def test_a_senseless_move_is_answered_with_words(small, sent):
    answer = signed_in("curator").post(reverse(MOVE), sent, follow=True)
    assert answer.status_code == 200
    assert "Nothing was moved." in answer.content.decode()


def test_the_list_draws_the_tree_with_who_drew_each_node(small, django_assert_max_num_queries):
    client, counts = signed_in("curator"), []
    for more in (0, 12):
        for _ in range(more):
            node(f"n{Strategy.objects.count()}", small["a"])
        with django_assert_max_num_queries(20) as asked:
            body = client.get(reverse("admin:techniques_strategy_changelist")).content.decode()
        counts.append(len(asked))
    assert body.count("formaction=") == 4 * Strategy.objects.count()
    assert 'class="field-drawn_by">ours' in body
    assert counts[0] == counts[1]


def test_the_form_refuses_a_circle(small):
    a = small["a"]
    sent = {"name": "a", "slug": "a", "source": a.source_id, "position": 0, "parent": small["c"].pk, "definition": ""}
    answer = signed_in("curator").post(reverse("admin:techniques_strategy_change", args=[a.pk]), sent)
    assert answer.status_code == 200
    assert "descendant of itself" in str(answer.context["errors"])
