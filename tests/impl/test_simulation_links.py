"""What is in flight between simulated servers, and who learns of an end in which order."""

from __future__ import annotations

import pytest

from impl.simulated_events import ConnectionBroken, ConnectionEnded, Delivered, Event
from impl.simulated_links import Link, Links


def _drained(links: Links) -> list[tuple[int, Event]]:
    arrived = []
    while links.busy:
        way = links.busy[0]
        arrived.append((way.receiver, links.next(way)))
    return arrived


@pytest.fixture
def links() -> Links:
    return Links()


@pytest.fixture
def link(links: Links) -> Link:
    return links.open(1, 3)


def test_what_is_written_arrives_in_order_one_write_at_a_time(links: Links, link: Link) -> None:
    assert links.send(link.name, 1, b"a")
    assert links.send(link.name, 3, b"x")
    assert links.send(link.name, 1, b"b")

    assert _drained(links) == [
        (3, Delivered("q1", b"a")),
        (3, Delivered("q1", b"b")),
        (1, Delivered("q1", b"x")),
    ]


def test_connections_are_incarnations_with_names_of_their_own(links: Links) -> None:
    assert [links.open(1, 3).name for _ in range(3)] == ["q1", "q2", "q3"]
    assert len(links) == 3


def test_who_closes_drops_what_is_in_flight_toward_it(links: Links, link: Link) -> None:
    links.send(link.name, 1, b"before")
    links.send(link.name, 3, b"lost")

    assert not links.close(link.name, 1)

    assert _drained(links) == [(3, Delivered("q1", b"before")), (3, ConnectionEnded("q1"))]


def test_nothing_arrives_at_an_end_that_is_closed(links: Links, link: Link) -> None:
    links.close(link.name, 1)

    assert not links.send(link.name, 3, b"late")
    assert _drained(links) == [(3, ConnectionEnded("q1"))]


def test_a_connection_is_over_when_both_ends_have_closed(links: Links, link: Link) -> None:
    assert not links.close(link.name, 1)
    assert links.of(1) == []
    assert links.of(3) == [link]

    assert links.close(link.name, 3)

    assert links.get("q1") is None
    assert links.busy == []
    assert not links.close("q1", 3)
    assert not links.send("q1", 3, b"late")


def test_both_ends_learn_of_a_cut_behind_what_still_arrives(links: Links, link: Link) -> None:
    for written in (b"1", b"2", b"3"):
        links.send(link.name, 1, written)
        links.send(link.name, 3, written)

    links.cut(link, (2, 0))
    links.send(link.name, 1, b"behind the cut")

    assert _drained(links) == [
        (3, Delivered("q1", b"1")),
        (3, Delivered("q1", b"2")),
        (3, ConnectionBroken("q1")),
        (1, ConnectionBroken("q1")),
    ]


def test_a_cut_may_tear_a_write(links: Links, link: Link) -> None:
    links.send(link.name, 1, b"1234")
    links.send(link.name, 1, b"5678")

    links.cut(link, (1, 0), torn=2)

    assert [event for at, event in _drained(links) if at == 3] == [
        Delivered("q1", b"1234"),
        Delivered("q1", b"56"),
        ConnectionBroken("q1"),
    ]


def test_a_cut_can_take_an_end_that_was_in_flight(links: Links, link: Link) -> None:
    links.send(link.name, 1, b"1")
    links.close(link.name, 1)

    links.cut(link, (0, 0))

    assert _drained(links) == [(3, ConnectionBroken("q1"))]


def test_an_end_that_was_met_is_met_once(links: Links, link: Link) -> None:
    links.cut(link, (0, 0))
    _drained(links)

    links.cut(link, (0, 0))

    assert _drained(links) == []


def test_an_end_survives_a_cut_that_loses_nothing(links: Links, link: Link) -> None:
    links.send(link.name, 1, b"1")
    links.close(link.name, 1)

    links.cut(link, (2, 2), torn=1)

    assert _drained(links) == [(3, Delivered("q1", b"1")), (3, ConnectionEnded("q1"))]
