"""ZOOKEEPER-1653: A server refuses to start between its new history and its new `currentEpoch`.

At NEWLEADER a learner makes the leader's history durable, in 3.4.5 by a snapshot, and then writes
the epoch's file. After a crash between the two, what it loads ends in a later epoch than the file
says, and a server that finds that refuses to start, for ever: an operator has to mend the file. The
smallest run needs no transaction: the first leader serves, which makes its last zxid 1.0; a
follower that comes later takes its snapshot, named 1.0, and crashes before `currentEpoch` is 1.

3.4.6 to 3.4.14 leave a mark, `updatingEpoch`, that lets such a server start; 3.5 never had it, and
4269 reads a left-over `currentEpoch.tmp` instead. The opposite order, which releases since 2678
have, is worse (4643). What mends both is the order of 1653 and a rule for what to do at start.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

from zabspec.check import promises
from zabspec.check.bounds import Bounds
from zabspec.check.model import Broken, Model
from zabspec.conform.zoo import Against, Good
from zabspec.protocol import leaving_variants
from zabspec.protocol.zab import BASELINE

MODELS = (
    Model(
        "zk-1653",
        "A follower crashes between a leader's snapshot and currentEpoch, and never starts again.",
        BASELINE.but("zk-1653", leaving_variants.server_refuses_later_log),
        Bounds(servers=3, txns=0, crashes=1, elections=1),
        Broken(promises.starts_again, 13),
    ),
)


async def _load(self: Any, last_zxid: int) -> None:
    """Read both files, write those that are missing, and refuse a log of a later epoch."""
    epochs = sys.modules["impl.epochs"]
    epoch = max(0, last_zxid >> 32)
    current = epochs.read_number(self._disk, epochs.CURRENT_EPOCH)
    if current is None:
        await self._write(epochs.CURRENT_EPOCH, epoch)
        current = epoch
    if epoch > current:
        why = f"{current}, older than the last zxid 0x{last_zxid:x}"
        raise epochs.StorageError(epochs.CURRENT_EPOCH, None, why)
    accepted = epochs.read_number(self._disk, epochs.ACCEPTED_EPOCH)
    if accepted is None:
        await self._write(epochs.ACCEPTED_EPOCH, epoch)
        accepted = epoch
    self.accepted_epoch, self.current_epoch = accepted, current


CODE: Mapping[str, Callable[..., Any]] = {"impl.epochs:EpochFiles.load": _load}

AGAINST = Against(
    rows=Good(Bounds(servers=2, observers=1, txns=0, crashes=1, elections=1)),
    lockstep=Good(Bounds(servers=3, txns=0, crashes=6, elections=8)),
    with_cuts=True,
)
