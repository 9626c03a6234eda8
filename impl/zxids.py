"""Zxids: the epoch in the upper 32 bits, a counter in the lower."""

from __future__ import annotations

NO_ZXID = -1
"""What a packet carries that names none: UPTODATE, REQUEST, REVALIDATE."""

COUNTER_MASK = 0xFFFFFFFF


def make_zxid(epoch: int, counter: int) -> int:
    """Models ZxidUtils.makeZxid."""
    return (epoch << 32) | (counter & COUNTER_MASK)


def epoch_of(zxid: int) -> int:
    """Models ZxidUtils.getEpochFromZxid."""
    return zxid >> 32


def counter_of(zxid: int) -> int:
    """Models ZxidUtils.getCounterFromZxid."""
    return zxid & COUNTER_MASK


def zxid_text(zxid: int) -> str:
    """As ZooKeeper logs it and names files by it, with 0x; -1 is all ones."""
    return f"0x{zxid & 0xFFFFFFFFFFFFFFFF:x}"
