"""Transactions, and the numbers that order them."""

from __future__ import annotations

from attrs import frozen

_COUNTER_BITS = 32


@frozen(order=True, cache_hash=True)
class Zxid:
    """A transaction id: the epoch of the leader that proposed it, and its number in that epoch.

    The counter starts at 1 in each epoch; counter 0 stands for the epoch itself and names no
    transaction. Ordered by epoch, then counter. Written `epoch.counter`.
    """

    epoch: int
    counter: int

    @classmethod
    def unpack(cls, number: int) -> Zxid:
        """The zxid that ZooKeeper writes as this 64-bit number: epoch high, counter low."""
        return cls(number >> _COUNTER_BITS, number & ((1 << _COUNTER_BITS) - 1))

    def pack(self) -> int:
        """This zxid as ZooKeeper's 64-bit number."""
        return (self.epoch << _COUNTER_BITS) | self.counter

    def next(self) -> Zxid:
        """The zxid that follows in the same epoch."""
        return Zxid(self.epoch, self.counter + 1)

    def leads_to(self, later: Zxid) -> bool:
        """Whether `later` may stand right behind this one in a history without gaps."""
        same_epoch = later.epoch == self.epoch and later.counter == self.counter + 1
        return same_epoch or (later.epoch > self.epoch and later.counter == 1)

    def __str__(self) -> str:
        return f"{self.epoch}.{self.counter}"


ZERO = Zxid(0, 0)
"""The last zxid of an empty history."""


@frozen(cache_hash=True)
class Txn:
    """A transaction: its zxid and the request it carries out.

    Without the request, "the same zxid, another transaction" could not be told.
    """

    zxid: Zxid
    request: int

    def __str__(self) -> str:
        return f"{self.zxid}:r{self.request}"


History = tuple[Txn, ...]
"""Transactions in the order of their zxids."""


def last_zxid(history: History) -> Zxid:
    """The zxid a history ends with; `ZERO` if it is empty."""
    return history[-1].zxid if history else ZERO


@frozen(cache_hash=True)
class Snapshot:
    """A database as it was saved: the zxid in its name, and the transactions it holds."""

    zxid: Zxid
    holds: History
