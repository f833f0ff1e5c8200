"""The drawing: nothing overlaps or runs out of its frame, however long the words."""

import pytest

from review.models import Review
from review.prisma.layout import drawings
from review.prisma.reported import reported

LONG = [["No measurement of speed, memory or cost of a language model at all, nor of anything like it", 7]] * 9
STATES = {
    "nothing": {},
    "one arm": {"dbr_excluded": LONG, "duplicates": 3},
    "two arms": {"website_results": 4, "other_excluded": LONG, "dbr_assessed": 3},
    "update": {"previous_studies": 65, "total_studies": 70, "new_studies": 5, "new_reports": 6},
    "everything": {"website_results": 1, "previous_studies": 65, "total_studies": 70, "dbr_excluded": LONG},
    "earlier alone": {"previous_studies": 65},
}


@pytest.mark.parametrize("name", STATES)
def test_boxes_stand_apart_and_inside(name):
    for drawing in drawings(reported(Review(reported_flow=STATES[name], databases=5, first_year=2017))):
        boxes = drawing.boxes
        for number, one in enumerate(boxes):
            assert 0 <= one.x < one.right <= 100
            assert one.bottom <= drawing.height
            assert one.lines[-1].down < one.height
            assert [line.down for line in one.lines] == sorted({line.down for line in one.lines})
            for other in boxes[number + 1 :]:
                apart = one.right < other.x or other.right < one.x or one.bottom < other.top or other.bottom < one.top
                assert apart, (name, drawing.name, one.box.slug, other.box.slug)
        assert max(box.bottom for box in boxes) == drawing.height


@pytest.mark.parametrize("name", STATES)
def test_every_arrow_ends_at_a_box(name):
    for drawing in drawings(reported(Review(reported_flow=STATES[name]))):
        for head in drawing.heads:
            assert any(
                (head.way == "down" and box.top == head.y and box.x <= head.x <= box.right)
                or (head.way == "right" and box.x == head.x and box.top < head.y < box.bottom)
                or (head.way == "left" and box.right == head.x and box.top < head.y < box.bottom)
                for box in drawing.boxes
            ), (name, drawing.name, head)


def test_both_drawings_say_the_same():
    wide, narrow = drawings(reported(Review(reported_flow=STATES["everything"])))
    assert {box.box.slug for box in wide.boxes} == {box.box.slug for box in narrow.boxes}
