from __future__ import annotations

import asyncio

import pytest
from fuzz_wire import (
    BrokenPromise,
    Tally,
    at_once,
    expect_same,
    fuzz,
    measured,
    try_packet,
    try_snapshot,
)
from hypothesis import given
from hypothesis import strategies as st


@given(st.binary(max_size=200))
def test_any_bytes_are_a_packet_or_an_error(content: bytes) -> None:
    assert try_packet(content).startswith(("read", "refused"))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_snapshot_or_an_error(content: bytes) -> None:
    assert try_snapshot(content).startswith(("read", "refused"))


def test_mutated_recordings_are_read_or_refused() -> None:
    tally = fuzz(seed=1, count=10_000)

    read = sum(number for name, number in tally.outcomes.items() if name.startswith("read"))
    assert sum(tally.outcomes.values()) == 10_000
    assert 1_000 < read < 9_000
    assert len(tally.mutations) == 8
    assert tally.measured == 200


@pytest.mark.slow
def test_a_million_mutated_recordings_are_read_or_refused() -> None:
    assert sum(fuzz(seed=2, count=1_000_000).outcomes.values()) == 1_000_000


def test_one_seed_gives_the_same_mutations() -> None:
    assert fuzz(3, 500).outcomes == fuzz(3, 500).outcomes


def test_a_decoder_that_waits_takes_too_much_fails_or_forgets_is_noticed() -> None:
    async def waits(_reader: asyncio.StreamReader) -> None:
        await asyncio.sleep(0)

    def takes(_content: bytes) -> str:
        return str(len(bytearray(1 << 20)))

    def fails(content: bytes) -> str:
        return str(content[0])

    with pytest.raises(BrokenPromise, match="waits"):
        at_once(b"", waits)
    with pytest.raises(BrokenPromise, match="bytes and"):
        measured(takes, b"", Tally(), with_memory=True)
    with pytest.raises(BrokenPromise, match="IndexError"):
        measured(fails, b"", Tally(), with_memory=False)
    with pytest.raises(BrokenPromise, match="consumed"):
        expect_same(b"a", b"b", "packet")
