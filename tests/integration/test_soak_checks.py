"""The proofs of the soak can fail: what they have to notice is put before them."""
import time

import pytest

from cluster import Cluster, Line
from soak import Expectation, format_date, parse

PAUSED, RUNNING = (True, None), (False, None)


class Written(Cluster):
    """A cluster of which only the lines are known: (key, value, outcome) in the order of their beginning."""

    def __init__(self, *lines):
        self.written = [Line("left", 0, at, 1, key, str(value), "node-1", at, outcome) for at, (key, value, outcome) in enumerate(lines)]

    def lines(self):
        return self.written


def test_records_in_order_with_redeliveries_are_in_order():
    Written(("a", 0, "done"), ("b", 1, "done"), ("a", 2, "retry"), ("a", 0, "done"), ("a", 2, "done"), ("a", 4, "done")).check_order()


@pytest.mark.parametrize(
    "lines",
    [
        [("a", 0, "retry"), ("a", 2, "done"), ("a", 0, "done")],
        [("a", 0, "done"), ("a", 4, "done"), ("a", 2, "done")],
        [("a", 0, "done"), ("a", 2, "retry"), ("a", 4, "done")],
    ],
    ids=["overtaken while it waited for a retry", "done after its successor", "never done"],
)
def test_a_record_that_is_overtaken_is_noticed(lines):
    with pytest.raises(AssertionError):
        Written(*lines).check_order()


def test_what_was_acknowledged_last_is_all_that_is_allowed():
    expected = Expectation()
    expected.acknowledged(PAUSED)
    assert expected.allows(PAUSED) and not expected.allows(RUNNING)


def test_a_command_without_an_answer_may_come_late_and_a_refused_one_may_have_come():
    expected = Expectation()
    expected.unanswered(PAUSED)
    expected.acknowledged(RUNNING)
    assert expected.allows(PAUSED)
    expected.acknowledged(RUNNING)
    expected.late.clear()
    assert not expected.allows(PAUSED)
    expected.refused(PAUSED)
    assert expected.allows(PAUSED)


def test_a_schedule_may_fire_from_its_date_on_but_not_before_and_only_while_it_stands():
    expected = Expectation()
    expected.acknowledged((True, time.time() + 60))
    assert not expected.allows(RUNNING)
    expected.acknowledged((True, time.time() - 1))
    assert expected.allows(RUNNING)
    expected.acknowledged(PAUSED)
    assert not expected.allows(RUNNING)


def test_dates_are_written_and_read_to_the_millisecond():
    assert parse(format_date(1795336512.83)) == 1795336512.83
    assert format_date(1795336512.83) == "2026-11-22T08:35:12.830Z"
