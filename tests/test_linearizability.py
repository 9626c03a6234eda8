"""The linearizability checker against a naive one, and against examples that are known."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import combinations, permutations

import pytest
from attrs import evolve
from hypothesis import event, given
from hypothesis import strategies as some

from zabspec.conform.client_history import (
    BAD_VERSION,
    NO_NODE,
    NODE_EXISTS,
    OK,
    Create,
    Delete,
    Node,
    Operation,
    Read,
    Request,
    Result,
    SetData,
    Sync,
    answer,
    fits,
)
from zabspec.conform.linearizability import check_linearizability, zxids_gone_back

PATH = "/a"


def naive(history: Sequence[Operation]) -> bool:
    """Try every order of the answered operations and of any of the others; one path."""
    answered = [one for one in history if one.returned is not None]
    others = [
        one for one in history if one.returned is None and not isinstance(one.request, Read | Sync)
    ]
    taken = [some for size in range(len(others) + 1) for some in combinations(others, size)]
    return any(_explains(order) for more in taken for order in permutations([*answered, *more]))


def _explains(order: Sequence[Operation]) -> bool:
    for later, one in enumerate(order):
        if any(_must_precede(one, before) for before in order[:later]):
            return False
    node: Node | None = None
    for one in order:
        node, right = answer(node, one.request)
        if one.returned is not None and not fits(one.request, right, one.result):
            return False
    return True


def _must_precede(one: Operation, other: Operation) -> bool:
    """By time, unless the other is a read; by the order of one client's calls."""
    if one.returned is None:
        return False
    if one.returned < other.call and not isinstance(other.request, Read):
        return True
    return one.client == other.client and other.returned is not None and one.call < other.call


def at(
    client: int, call: float, returned: float | None, request: Request, result: Result | None = OK
) -> Operation:
    return Operation(client, call, returned, request, None if returned is None else result)


REQUESTS = some.one_of(
    some.sampled_from([Create(PATH, b"x"), Create(PATH, b"y"), Read(PATH), Read(PATH), Sync()]),
    some.builds(Delete, some.just(PATH), some.sampled_from([-1, 0, 1])),
    some.builds(SetData, some.just(PATH), some.sampled_from([b"x", b"y"]), some.integers(-1, 1)),
)


def results(request: Request) -> some.SearchStrategy[Result]:
    """What a client may be told at all."""
    nodes = some.builds(Node, some.sampled_from([b"x", b"y", None]), some.integers(0, 2))
    of: dict[type, some.SearchStrategy[Result]] = {
        Create: some.sampled_from([OK, OK, NODE_EXISTS]),
        Delete: some.sampled_from([OK, OK, NO_NODE, BAD_VERSION]),
        SetData: some.one_of(nodes, some.sampled_from([OK, NO_NODE, BAD_VERSION])),
        Read: some.one_of(nodes, some.just(NO_NODE)),
        Sync: some.just(OK),
    }
    return of[type(request)]


@some.composite
def any_histories(draw: some.DrawFn) -> list[Operation]:
    """Of up to five operations of up to three clients, each with at most one at a time."""
    clock: dict[int, int] = {}
    history = []
    for _ in range(draw(some.integers(1, 5))):
        client = draw(some.integers(1, 3))
        call = clock.get(client, 0) + draw(some.integers(1, 3))
        returned = call + draw(some.integers(1, 4))
        clock[client] = returned + 1
        request = draw(REQUESTS)
        result = draw(results(request))
        lost = draw(some.integers(0, 4)) == 0
        history.append(at(client, call, None if lost else returned, request, result))
    return history


def served(seed: int, clients: int, length: int, *, lost: float = 0.1) -> list[Operation]:
    """What clients of correct servers see: writes in one order, reads from servers that lag.

    Operations overlap; some are never answered, and take effect later or not at all.
    """
    chance = random.Random(seed)  # noqa: S311  to be seen again
    past: list[Node | None] = [None]
    seen = dict.fromkeys(range(clients), 0)
    free = dict.fromkeys(range(clients), 0.0)
    now, history = 0.0, []
    for _ in range(length):
        client = chance.choice(
            [one for one in free if free[one] <= now] or [min(free, key=free.get)]
        )
        now = max(now, free[client]) + chance.random()
        request = _chosen(chance)
        call, returned = now - chance.random() * min(1, now - free[client]), now + chance.random()
        free[client] = returned + 0.001
        if isinstance(request, Read):
            seen[client] = chance.randint(seen[client], len(past) - 1)
            result: Result = answer(past[seen[client]], request)[1]
        elif chance.random() < lost:
            if chance.random() < 0.5:
                past.append(answer(past[-1], request)[0])
            history.append(at(client, call, None, request))
            continue
        else:
            changed, result = answer(past[-1], request)
            past.append(changed)
            seen[client] = len(past) - 1
        history.append(at(client, call, returned, request, result))
    return history


def _chosen(chance: random.Random) -> Request:
    content = b"%d" % chance.randrange(1000)
    version = chance.choice((-1, -1, -1, 0, 1, 2))
    kinds: list[Request] = [
        Create(PATH, content),
        Delete(PATH, version),
        SetData(PATH, content, version),
    ]
    return chance.choice([*kinds, SetData(PATH, content), Read(PATH), Read(PATH), Sync()])


@given(any_histories())
def test_the_checker_says_what_the_naive_one_says(history: list[Operation]) -> None:
    found = check_linearizability(history)
    event(f"linearizable: {not found}")

    has_path = any(not isinstance(one.request, Sync) for one in history)
    assert (not found) is (naive(history) or not has_path)
    assert all(one.kind == "not linearizable" for one in found)


@given(some.integers(0, 2**32), some.integers(1, 6), some.data())
def test_it_says_so_of_right_histories_with_one_answer_changed(
    seed: int, length: int, chosen: some.DataObject
) -> None:
    history = served(seed, 2, length)
    place = chosen.draw(some.integers(0, length - 1))
    one = history[place]
    if one.returned is not None:
        history[place] = evolve(one, result=chosen.draw(results(one.request)))

    found = check_linearizability(history)
    event(f"linearizable: {not found}")
    has_path = any(not isinstance(one.request, Sync) for one in history)
    assert (not found) is (naive(history) or not has_path)


@given(some.integers(0, 2**32), some.integers(1, 5), some.integers(1, 60))
def test_what_correct_servers_answer_is_linearizable(seed: int, clients: int, length: int) -> None:
    assert check_linearizability(served(seed, clients, length)) == ()


def test_a_long_history_is_checked_and_one_lost_write_found() -> None:
    history = served(7, 6, 3000, lost=0.02)

    assert check_linearizability(history) == ()

    writes = [
        place
        for place, one in enumerate(history)
        if isinstance(one.request, SetData) and isinstance(one.result, Node)
    ]
    lost = writes[len(writes) // 2]
    version = history[lost].result
    assert isinstance(version, Node)
    following = next(place for place in writes if place > lost)
    history[following] = evolve(history[following], result=version)
    (found,) = check_linearizability(history)

    assert found.kind == "not linearizable"
    assert found.path == PATH
    assert {*found.explained} < {*history}


def test_a_search_that_takes_too_long_is_left_undecided() -> None:
    lost = [at(client, 0, None, SetData(PATH, b"%d" % client)) for client in range(20)]
    history = [at(99, 0, 1, Create(PATH, b"")), *lost, at(99, 2, 3, Read(PATH), Node(b"no", 9))]

    (found,) = check_linearizability(history, limit=5)

    assert found.kind == "undecided"
    assert found.stuck == (history[-1],)


RIGHT: dict[str, list[Operation]] = {
    "nothing at all": [],
    "a read of a node that never was": [at(1, 0, 1, Read(PATH), NO_NODE)],
    "a stale read by another session": [
        at(1, 0, 1, Create(PATH, b"x")),
        at(1, 2, 3, SetData(PATH, b"y"), Node(b"y", 1)),
        at(2, 4, 5, Read(PATH), NO_NODE),
        at(2, 6, 7, Read(PATH), Node(b"x", 0)),
    ],
    "writes that overlap, in the other order": [
        at(1, 0, 9, SetData(PATH, b"x"), Node(b"x", 1)),
        at(2, 1, 8, Create(PATH, b"y")),
    ],
    "a write that was never answered and took effect late": [
        at(1, 0, None, SetData(PATH, b"x")),
        at(2, 1, 2, Create(PATH, b"y")),
        at(2, 3, 4, Read(PATH), Node(b"y", 0)),
        at(2, 5, 6, Read(PATH), Node(b"x", 1)),
    ],
    "a write that was never answered and never took effect": [
        at(1, 0, None, Create(PATH, b"x")),
        at(2, 1, 2, Read(PATH), NO_NODE),
        at(2, 3, 4, Create(PATH, b"y")),
    ],
    "a session that goes on before its lost write takes effect": [
        at(1, 0, None, SetData(PATH, b"z")),
        at(1, 1, 2, Create(PATH, b"x")),
        at(1, 3, 4, Read(PATH), Node(b"z", 1)),
    ],
    "failed writes": [
        at(1, 0, 1, Delete(PATH), NO_NODE),
        at(1, 2, 3, Create(PATH, b"x")),
        at(2, 4, 5, Create(PATH, b"y"), NODE_EXISTS),
        at(2, 6, 7, SetData(PATH, b"y", 7), BAD_VERSION),
        at(2, 8, 9, Delete(PATH, 0)),
    ],
    "a version that nobody looked at, a content that nobody looked at": [
        at(1, 0, 1, Create(PATH, b"x")),
        at(1, 2, 3, SetData(PATH, b"y"), OK),
        at(1, 4, 5, Read(PATH), Node(None, 1)),
    ],
    "two paths": [
        at(1, 0, 1, Create("/b", b"x")),
        at(1, 2, 3, Create("/a", b"y")),
        at(2, 4, 5, Read("/a"), Node(b"y", 0)),
    ],
}
WRONG: dict[str, list[Operation]] = {
    "an acknowledged write that is lost": [
        at(1, 0, 1, Create(PATH, b"x")),
        at(2, 2, 3, Create(PATH, b"y")),
    ],
    "a session that does not see its own write": [
        at(1, 0, 1, Create(PATH, b"x")),
        at(1, 2, 3, Read(PATH), NO_NODE),
    ],
    "a session's reads that go back": [
        at(1, 0, 1, Create(PATH, b"x")),
        at(2, 2, 3, Read(PATH), Node(b"x", 0)),
        at(2, 4, 5, Read(PATH), NO_NODE),
    ],
    "a read of what is written later": [
        at(2, 0, 1, Read(PATH), Node(b"x", 0)),
        at(1, 2, 3, Create(PATH, b"x")),
    ],
    "a read of what nobody wrote": [at(1, 0, 1, Read(PATH), Node(b"x", 0))],
    "writes that are answered as in another order": [
        at(1, 0, 1, Create(PATH, b"x")),
        at(1, 2, 3, SetData(PATH, b"y"), Node(b"y", 2)),
        at(2, 4, 5, SetData(PATH, b"z"), Node(b"z", 1)),
    ],
    "a write lost between two versions": [
        at(1, 0, 1, Create(PATH, b"x")),
        at(1, 2, 3, SetData(PATH, b"y"), Node(b"y", 1)),
        at(2, 4, 5, SetData(PATH, b"z"), Node(b"z", 1)),
    ],
    "a stale read behind a sync": [
        at(1, 0, 1, Create(PATH, b"x")),
        at(2, 2, 3, Sync()),
        at(2, 4, 5, Read(PATH), NO_NODE),
    ],
    "two creates of one node": [
        at(1, 0, 9, Create(PATH, b"x")),
        at(2, 1, 8, Create(PATH, b"y")),
    ],
    "a write that took effect twice": [
        at(1, 0, 1, Create(PATH, b"x")),
        at(1, 2, None, SetData(PATH, b"y")),
        at(2, 3, 4, Read(PATH), Node(b"y", 2)),
    ],
    "a write that took effect before its call": [
        at(2, 0, 1, Read(PATH), Node(b"x", 0)),
        at(1, 2, None, Create(PATH, b"x")),
    ],
}


@pytest.mark.parametrize("name", RIGHT)
def test_a_history_that_is_right(name: str) -> None:
    assert check_linearizability(RIGHT[name]) == ()


@pytest.mark.parametrize("name", WRONG)
def test_a_history_that_is_wrong(name: str) -> None:
    found = check_linearizability(WRONG[name])

    assert [one.kind for one in found] == ["not linearizable"], name
    assert found[0].stuck
    assert {*found[0].explained} | {*found[0].stuck} <= {*WRONG[name]}


def test_what_could_be_explained_is_told_and_what_could_not() -> None:
    history = WRONG["an acknowledged write that is lost"]

    (found,) = check_linearizability(history)

    assert found.path == PATH
    assert found.explained == (history[0],)
    assert found.stuck == (history[1],)


def test_each_path_is_judged_and_told_by_itself() -> None:
    wrong = [
        evolve(one, request=evolve(one.request, path=path))
        for path in ("/z", "/b", "/m")
        for one in (WRONG if path != "/m" else RIGHT)[
            "a session's reads that go back" if path != "/m" else "failed writes"
        ]
    ]

    assert [one.path for one in check_linearizability(wrong)] == ["/b", "/z"]


def test_a_client_whose_zxids_go_back_is_told() -> None:
    def zxids(client: int, *zxids: int | None) -> Iterator[Operation]:
        for time, zxid in enumerate(zxids):
            yield Operation(client, time, time, Read(PATH), NO_NODE, zxid)

    fine = [*zxids(1, 1, 1, None, 2), *zxids(2, 9)]
    back = [*zxids(4, 5, None, 3, 2), *zxids(3, 7, 8, 1)]

    assert zxids_gone_back(fine) == ()
    assert [
        (before.client, before.zxid, after.zxid) for before, after in zxids_gone_back(fine + back)
    ] == [(3, 8, 1), (4, 5, 3)]


def test_an_operation_is_answered_when_it_returns_and_not_before_its_call() -> None:
    with pytest.raises(ValueError, match="a result without a return"):
        Operation(1, 0, None, Read(PATH), NO_NODE)
    with pytest.raises(ValueError, match="a result without a return"):
        Operation(1, 0, 1, Read(PATH), None)
    with pytest.raises(ValueError, match="returned before it was called"):
        Operation(1, 2, 1, Read(PATH), NO_NODE)
