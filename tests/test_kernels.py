"""The loops and arrays below the tables: numpy's and the compiled ones, against plain Python."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zabspec.check import visited
from zabspec.check.carry import fingerprints, found, ranks
from zabspec.check.compiled import NUMBA
from zabspec.check.interning import Column, Interned, IntMap
from zabspec.check.kernels import NUMPY, Flags, Kernels, Words, best, scattered
from zabspec.check.levels import GrowingLevel, Level, origins
from zabspec.check.visited import Visited, collision_odds

BOTH = pytest.mark.parametrize("kernels", [NUMPY, NUMBA], ids=lambda one: one.name)
KEYS = st.one_of(st.integers(0, 40), st.integers(0, 2**63 - 1))
NUMBERS = st.integers(0, 2**31 - 1)
UPPER = st.sampled_from((0, 1, 2**31, 2**32 - 1))
"""The half of a word that says its place: few, so that they collide, the last place among them."""
WORDS = st.builds(lambda upper, lower: upper << 32 | lower, UPPER, st.integers(1, 6))
PAIRS = st.lists(st.tuples(WORDS, st.integers(0, 3)), max_size=30)
Pair = tuple[int, int]


def _words(numbers: list[int]) -> Words:
    return np.array(numbers, np.uint64)


def _columns(pairs: list[Pair], wide: int) -> list[Words]:
    return [_words([pair[word] for pair in pairs]) for word in range(wide)]


def _new_ones(known: set[tuple[int, ...]], rows: list[tuple[int, ...]]) -> list[bool]:
    """Which of these rows a set would not hold yet, each put into it in turn."""
    new = []
    for row in rows:
        new.append(row not in known)
        known.add(row)
    return new


# Loops.


@given(st.lists(st.integers(-1, 2**31 - 1), max_size=20), st.integers(0, 40))
def test_numbers_are_mixed_alike(numbers: list[int], seed: int) -> None:
    column = np.array(numbers, np.int32)
    one, other = np.full((2, len(numbers)), 7, np.uint64)

    NUMPY.mix(column, seed, one)
    NUMBA.mix(column, seed, other)

    assert one.tolist() == other.tolist() == (scattered(column, seed) ^ np.uint64(7)).tolist()


def test_numbers_are_mixed_as_splitmix64_does() -> None:
    after_0 = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]

    assert scattered(np.arange(3, dtype=np.int32), 0).tolist() == after_0


def test_a_number_is_mixed_otherwise_for_each_place() -> None:
    column = np.arange(100, dtype=np.int32)

    words = [word for seed in range(100) for word in scattered(column, seed).tolist()]

    assert len(set(words)) == 100 * 100


@given(st.lists(KEYS, unique=True, max_size=30), st.lists(KEYS, max_size=30))
def test_keys_are_looked_up_alike(held: list[int], more: list[int]) -> None:
    known = {key: number for number, key in enumerate(held)}
    wanted = [*more, *held]

    for kernels in (NUMPY, NUMBA):
        numbers = IntMap(kernels, bits=6)
        for key, number in known.items():
            numbers.put(key, number)

        answers = numbers.get(np.array(wanted, np.int64)).tolist()

        assert answers == [known.get(key, -1) for key in wanted]


@pytest.mark.parametrize("wide", [1, 2])
@given(batches=st.lists(PAIRS, max_size=4))
def test_fingerprints_are_inserted_alike_where_places_collide(
    wide: int, batches: list[list[Pair]]
) -> None:
    known: set[tuple[int, ...]] = set()
    tables = {one.name: [np.zeros(160, np.uint64) for _ in range(wide)] for one in (NUMPY, NUMBA)}

    for pairs in batches:
        rows = [pair[:wide] for pair in pairs]
        expected = _new_ones(known, rows)
        for kernels in (NUMPY, NUMBA):
            new = np.zeros(len(pairs), np.bool_)
            _insert(kernels, tables[kernels.name], _columns(pairs, wide), new)
            assert new.tolist() == expected

    for columns in tables.values():
        kept = [row for row in zip(*(one.tolist() for one in columns), strict=True) if row[0]]
        assert sorted(kept) == sorted(known)
        assert columns[0][-1] == 0


def _insert(kernels: Kernels, table: list[Words], words: list[Words], new: Flags) -> None:
    nothing = np.zeros(0, np.uint64)
    kernels.insert(table[0], [*table, nothing][1], words[0], [*words, nothing][1], new)


@pytest.mark.parametrize("order", [(NUMPY, NUMBA), (NUMBA, NUMPY)], ids=["numpy", "numba"])
@given(first=PAIRS, second=PAIRS)
def test_one_set_of_loops_goes_on_where_the_other_stopped(
    order: tuple[Kernels, Kernels], first: list[Pair], second: list[Pair]
) -> None:
    known: set[tuple[int, ...]] = set()
    table = [np.zeros(80, np.uint64) for _ in range(2)]

    for kernels, pairs in zip(order, (first, second), strict=True):
        new = np.zeros(len(pairs), np.bool_)
        _insert(kernels, table, _columns(pairs, 2), new)
        assert new.tolist() == _new_ones(known, list(pairs))


def test_the_compiled_loops_are_chosen_where_they_can_be() -> None:
    assert best() is NUMBA


# Visited worlds.


@BOTH
@pytest.mark.parametrize("wide", [1, 2])
@given(batches=st.lists(PAIRS, max_size=8))
def test_visited_worlds_are_a_set_however_often_it_grows(
    kernels: Kernels, wide: int, batches: list[list[Pair]]
) -> None:
    known: set[tuple[int, ...]] = set()
    with _small_tables():
        worlds = Visited(kernels, wide, places=8)
        for pairs in batches:
            expected = _new_ones(known, [pair[:wide] for pair in pairs])
            assert worlds.add(_columns(pairs, wide)).tolist() == expected
            assert worlds.size == len(known)
            assert worlds.size <= _may_hold(worlds.places)


@BOTH
@pytest.mark.parametrize("wide", [1, 2])
def test_visited_worlds_are_a_set_when_there_are_many(kernels: Kernels, wide: int) -> None:
    random = np.random.default_rng(wide)
    known: set[tuple[int, ...]] = set()
    places = []
    with _small_tables():
        worlds = Visited(kernels, wide, places=8)
        for size in (0, 1, 3, 30, 300, 1_000, 1_000, 3_000):
            columns = [scattered(random.integers(1, 2_000, size), 0)]
            columns += [random.integers(0, 2, size).astype(np.uint64) for _ in range(wide - 1)]
            rows = list(zip(*(one.tolist() for one in columns), strict=True))

            assert worlds.add(columns).tolist() == _new_ones(known, rows)
            places.append(worlds.places)

    assert worlds.size == len(known) > 1_000
    assert places == sorted(places)
    assert len(set(places)) >= 4


@contextmanager
def _small_tables() -> Iterator[None]:
    """Tables that are large from 64 places on, and are copied a few places at a time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(visited, "SMALL", 64)
        patch.setattr(visited, "_SEGMENT", 7)
        yield


def _may_hold(places: int) -> int:
    return places // 2 if places <= 64 else int(places * visited.FULL)


def test_of_equal_worlds_in_one_batch_the_first_is_new() -> None:
    for kernels in (NUMPY, NUMBA):
        worlds = Visited(kernels)

        new = worlds.add([_words([9, 5, 9, 5, 5, 7])])
        again = worlds.add([_words([7, 8, 8])])

        assert new.tolist() == [True, True, False, False, False, True]
        assert again.tolist() == [False, True, False]


@BOTH
def test_two_words_that_share_their_first_are_two_worlds(kernels: Kernels) -> None:
    worlds = Visited(kernels, words=2)

    new = worlds.add([_words([9, 9, 9]), _words([1, 2, 1])])

    assert (new.tolist(), worlds.size) == ([True, True, False], 2)


@BOTH
def test_a_probe_that_meets_the_end_of_the_table_goes_round(kernels: Kernels) -> None:
    last = [(2**32 - 1) << 32 | low for low in range(1, 7)]
    worlds = Visited(kernels, places=16)

    assert worlds.add([_words(last)]).all()
    assert worlds.places == 16
    assert not worlds.add([_words(last[::-1])]).any()


def test_the_memory_that_more_worlds_would_take_is_known_before() -> None:
    worlds = Visited(NUMPY, words=2, places=64)

    assert worlds.bytes_for(32) == 0
    expected = worlds.bytes_for(33)
    worlds.add([np.arange(1, 34, dtype=np.uint64), np.zeros(33, np.uint64)])

    assert expected == 128 * 16 == worlds.bytes_kept - 16
    assert worlds.places == 128


def test_a_large_table_grows_by_a_little_and_is_filled_almost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(visited, "SMALL", 64)
    worlds = Visited(NUMPY, places=100)

    worlds.add([scattered(np.arange(92, dtype=np.int32), 0)])
    before = worlds.places
    worlds.add([_words([1])])

    assert (before, worlds.places) == (100, 114)


@pytest.mark.parametrize(
    ("worlds", "words", "odds"),
    [(0, 1, 0.0), (1, 1, 0.0), (2, 1, 2.0**-64), (2**33, 1, 1.0), (2**20, 2, 2.0**-89)],
)
def test_the_odds_that_two_worlds_are_taken_for_one_are_told(
    worlds: int, words: int, odds: float
) -> None:
    assert collision_odds(worlds, words) == pytest.approx(odds, rel=1e-5)


def test_fingerprints_tell_worlds_apart_by_value_and_by_column() -> None:
    numbers = np.arange(50, dtype=np.int32)
    one, other = (column.ravel() for column in np.meshgrid(numbers, numbers))

    for words in (1, 2):
        made = fingerprints(NUMPY, [one, other], words)
        compiled = fingerprints(NUMBA, [one, other], words)

        assert len(made) == words
        assert len({*np.concatenate(made).tolist()}) == words * 2_500
        assert [word.tolist() for word in made] == [word.tolist() for word in compiled]
        assert made[0].all()


# Maps, columns, numbers.


@BOTH
@given(st.dictionaries(KEYS, NUMBERS, max_size=80), st.lists(KEYS, max_size=20))
def test_a_map_is_a_dict_however_often_it_grows(
    kernels: Kernels, pairs: dict[int, int], others: list[int]
) -> None:
    numbers = IntMap(kernels, bits=2)

    for key, number in pairs.items():
        numbers.put(key, number)

    wanted = [*pairs, *others]
    answers = numbers.get(np.array(wanted, np.int64)).tolist()
    assert answers == [pairs.get(key, -1) for key in wanted]
    assert numbers.size == len(pairs)
    assert dict(zip(*(one.tolist() for one in numbers.pairs()), strict=True)) == pairs


@given(st.lists(st.integers(0, 9)))
def test_values_are_numbered_in_the_order_in_which_they_are_met(values: list[int]) -> None:
    numbers: Interned[int] = Interned()

    met = [numbers.number(value) for value in values]

    assert numbers.values == list(dict.fromkeys(values))
    assert [numbers.values[number] for number in met] == values
    assert len(numbers) == len(set(values))


@pytest.mark.parametrize("width", [0, 3])
def test_a_column_keeps_its_rows_when_it_grows_and_is_blank_behind_them(width: int) -> None:
    column = Column(width, blank=-1)
    row = (lambda number: [number] * width) if width else (lambda number: number)

    numbers = [column.append(row(number)) for number in range(200)]

    assert numbers == list(range(200)) == list(range(column.size))
    assert column.array[:200].tolist() == [row(number) for number in range(200)]
    assert (column.array[200:] == -1).all()


@given(st.lists(st.integers(0, 4), min_size=1))
def test_ranks_count_from_0_within_each_group(counts: list[int]) -> None:
    expected = [rank for count in counts for rank in range(count)]

    assert ranks(np.array(counts, np.int32)).tolist() == expected


def test_what_is_not_known_is_filled_in_once_in_the_order_in_which_it_comes() -> None:
    class Tables:
        lock = _NoLock()

    known = IntMap(NUMPY)
    known.put(5, 50)
    filled: list[tuple[int, int]] = []

    def fill(key: int, at: int) -> None:
        filled.append((key, at))
        known.put(key, 10 * key)

    keys = np.array([9, 5, 3, 9, 3, 7], np.int64)
    numbers = found(Tables(), known, keys, fill)  # type: ignore[arg-type]

    assert numbers.tolist() == [90, 50, 30, 90, 30, 70]
    assert filled == [(9, 0), (3, 2), (7, 5)]


class _NoLock:
    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass


# Levels.


@st.composite
def _trees(draw: st.DrawFn) -> list[list[list[bool]]]:
    """By level and by world of the level before: which of what followed it was new."""
    tree: list[list[list[bool]]] = []
    width = 1
    while width and len(tree) < draw(st.integers(1, 5)):
        followers = st.lists(st.booleans(), max_size=4)
        tree.append(draw(st.lists(followers, min_size=width, max_size=width)))
        width = min(sum(sum(one) for one in tree[-1]), 12)
        if width != sum(sum(one) for one in tree[-1]):
            break
    return tree


@given(_trees(), st.integers(1, 3))
def test_the_way_back_is_what_a_list_of_parents_says(
    tree: list[list[list[bool]]], chunk: int
) -> None:
    levels: list[Level] = []
    ways: list[list[int]] = [[]]
    for followers in tree:
        levels.append(_level(followers, chunk))
        ways = [
            [*ways[parent], ordinal]
            for parent, each in enumerate(followers)
            for ordinal, new in enumerate(each)
            if new
        ]

    assert len(levels[-1]) == len(ways)
    assert [origins(levels, place) for place in range(len(ways))] == ways


def _level(followers: list[list[bool]], chunk: int) -> Level:
    level = GrowingLevel()
    for parents in _parts(followers, chunk):
        parent = [at for at, each in enumerate(parents) for _ in each]
        new = [one for each in parents for one in each]
        level.extend(len(parents), np.array(parent, np.int32), np.array(new, np.bool_))
    return level.finish()


def _parts(followers: list[list[bool]], chunk: int) -> Iterator[list[list[bool]]]:
    for start in range(0, len(followers), chunk):
        yield followers[start : start + chunk]


def test_a_world_may_have_more_followers_than_a_byte_counts() -> None:
    levels = [_level([[True] * 300, [False] * 70_000 + [True]][at:][:1], 1) for at in (0, 1)]
    several = _level([[False]] * 299 + [[False] * 70_000 + [True]], 100)

    assert origins(levels[:1], 299) == [299]
    assert origins(levels[1:], 0) == [70_000]
    assert origins([levels[0], several], 0) == [299, 70_000]
    assert levels[0].bytes_kept == 2 + 300 * 2
