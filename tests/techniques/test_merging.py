"""Nodes of the taxonomy merged: what hangs on them goes along, and nothing goes without a trace."""

import pytest
from django.test import Client
from django.urls import reverse

from review.models import FormerSlug
from techniques import merging
from techniques.models import Challenge, Response, Strategy
from tests import factories
from tests.factories import signed_in

pytestmark = pytest.mark.django_db
MAKERS = {Strategy: factories.strategy, Response: factories.response, Challenge: factories.challenge}


def address(one) -> str:
    return reverse(f"admin:techniques_{one._meta.model_name}_merge", args=[one.pk])


@pytest.mark.parametrize("model", list(MAKERS))
def test_techniques_addresses_and_history_go_along(model):
    old, new = MAKERS[model](slug="old", name="Old"), MAKERS[model](slug="new", name="New")
    moving, both, neither = (factories.technique() for _ in range(3))
    relation = merging.RELATIONS[model]
    getattr(moving, relation).set([old])
    getattr(both, relation).set([old, new])
    old.slug = "renamed"
    old.save()
    plan = merging.plan(old, new)
    assert (plan.moving, plan.both, plan.former) == ([moving], [both], ["renamed", "old"])
    merging.merge(model, old.pk, new.pk, factories.user())
    assert not model.objects.filter(pk=old.pk).exists()
    assert [list(getattr(one, relation).all()) for one in (moving, both, neither)] == [[new], [new], []]
    assert [FormerSlug.moved(model, slug) for slug in ("old", "renamed")] == [new, new]
    last = model.history.filter(id=old.pk).first()
    assert (last.history_type, last.history_change_reason) == ("-", "merged into New")
    told = moving.history.first()
    assert told.history_change_reason == "Old merged into New"
    assert told.history_user is not None
    assert [getattr(row, model._meta.model_name).pk for row in getattr(told, relation).all()] == [new.pk]
    assert neither.history.count() == 1


def test_children_go_along_in_their_order_behind_those_that_are_there():
    old, new = factories.strategy(name="Old"), factories.strategy(name="New")
    there = factories.strategy(parent=new, position=7)
    first, second = (factories.strategy(parent=old, position=number) for number in (1, 2))
    leaf = factories.strategy(parent=second)
    merging.merge(Strategy, old.pk, new.pk)
    assert list(Strategy.objects.filter(parent=new)) == [there, first, second]
    assert Strategy.objects.get(pk=leaf.pk).parent == second
    assert first.history.first().history_change_reason == "Old merged into New"


def test_a_node_is_not_merged_into_itself_or_below_itself():
    root = factories.strategy()
    leaf = factories.strategy(parent=factories.strategy(parent=root))
    for into in (root, leaf):
        with pytest.raises(merging.Refused):
            merging.merge(Strategy, root.pk, into.pk)
    with pytest.raises(merging.Refused, match="not there any more"):
        merging.merge(Strategy, root.pk, 424242)
    merging.merge(Strategy, leaf.pk, root.pk)
    assert Strategy.objects.count() == 2


@pytest.mark.parametrize(("group", "may"), [("reader", False), ("screener", False), ("runner", False),
                                            ("curator", True), ("owner", True)])  # fmt: skip
@pytest.mark.parametrize("model", list(MAKERS))
def test_who_may_merge(model, group, may):
    old, new = MAKERS[model](), MAKERS[model]()
    client = signed_in(group)
    assert client.get(address(old), {"into": new.pk}).status_code == (200 if may else 403)
    assert client.post(address(old), {"into": new.pk}).status_code == (302 if may else 403)
    assert model.objects.count() == (1 if may else 2)


def test_strangers_are_led_to_the_door():
    old, new = factories.strategy(), factories.strategy()
    for client in (Client(), signed_in("curator", staff=False)):
        assert reverse("admin:login") in client.post(address(old), {"into": new.pk}).url
    assert Strategy.objects.count() == 2


def test_the_page_shows_what_would_move_and_then_how_many_did():
    old, new = factories.strategy(name="Old"), factories.strategy(name="New")
    factories.technique([old], name="Gamma: a way")
    factories.technique([old, new])
    client = signed_in("curator")
    body = client.get(address(old), {"into": new.pk}).content.decode()
    assert "Gamma" in body
    assert "1 with both" in body
    assert Strategy.objects.count() == 2
    answer = client.post(address(old), {"into": new.pk}, follow=True)
    assert "1 technique moved, 1 carried both already, 1 address now leads to New" in answer.content.decode()


@pytest.mark.parametrize("into", ["", "x", "424242", "\0", "9" * 40])
def test_a_target_that_is_none_merges_nothing(into):
    old = factories.strategy()
    client = signed_in("curator")
    for answer in (client.get(address(old), {"into": into}), client.post(address(old), {"into": into})):
        assert answer.status_code == 200
    assert Strategy.objects.count() == 1
    assert client.get(reverse("admin:techniques_strategy_merge", args=[424242])).status_code == 404


def test_the_action_leads_to_the_page_of_the_one_that_was_chosen():
    one, two = factories.response(), factories.response()
    client, page = signed_in("curator"), reverse("admin:techniques_response_changelist")
    answer = client.post(page, {"action": "merge_into", "_selected_action": [one.pk]})
    assert answer.url == address(one)
    answer = client.post(page, {"action": "merge_into", "_selected_action": [one.pk, two.pk]}, follow=True)
    assert "Choose one to merge" in answer.content.decode()
