"""`python -m impl` with one mistake in it: `python tests/impl/mistaken.py MISTAKE simulate ...`."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from impl.__main__ import main
from impl.epochs import EpochFiles
from impl.final import FinalRequestProcessor
from impl.proposals import Proposal
from impl.requests import Reply, Request
from impl.storage import Storage
from impl.sync_request_processor import SyncRequestProcessor
from impl.transactions import OpCode
from impl.txnlog import FileTxnLog
from impl.zookeeper_server import ZooKeeperServer


def _commits_with_any_ack(proposal: Proposal) -> bool:
    return bool(proposal.acks)


async def _acknowledges_before_its_fsync(log_thread: SyncRequestProcessor) -> None:
    while True:
        batch, is_last = await log_thread._append_batch()  # noqa: SLF001 - a bug from within
        log_thread._pass_on(batch)  # noqa: SLF001
        if batch:
            await log_thread._peer.storage.commit()  # noqa: SLF001
        if is_last:
            return


async def _promises_and_writes_nothing(epochs: EpochFiles, epoch: int) -> None:
    epochs.accepted_epoch = epoch


async def _reads_what_is_not_durable(_storage: Storage) -> None:
    return


_truncate = FileTxnLog.truncate


async def _keeps_one_transaction_more(log: FileTxnLog, zxid: int) -> None:
    await _truncate(log, zxid + 1)


def _takes_clients_that_have_seen_more(_server: ZooKeeperServer, _last_zxid_seen: int) -> bool:
    return False


_read = FinalRequestProcessor._read  # noqa: SLF001


def _reads_an_older_tree(processor: FinalRequestProcessor, request: Request, zxid: int) -> Reply:
    read = _read(processor, request, zxid)
    if request.kind != OpCode.GET_DATA:
        return read
    kept: dict[bytes, Reply] = processor.__dict__.setdefault("kept", {})
    return kept.setdefault(request.body, read)


MISTAKES: dict[str, tuple[type, str, Callable[..., bool | Reply | Awaitable[None]]]] = {
    "any-ack": (Proposal, "has_all_quorums", _commits_with_any_ack),
    "ack-first": (SyncRequestProcessor, "run", _acknowledges_before_its_fsync),
    "unwritten-promise": (EpochFiles, "set_accepted_epoch", _promises_and_writes_nothing),
    "unsynced-names": (Storage, "_settle_names", _reads_what_is_not_durable),
    "trunc-keeps": (FileTxnLog, "truncate", _keeps_one_transaction_more),
    "old-read": (FinalRequestProcessor, "_read", _reads_an_older_tree),
    "behind-serves": (ZooKeeperServer, "is_behind", _takes_clients_that_have_seen_more),
}
"""What is wrong in place of what.

any-ack: a leader commits without a quorum. ack-first: servers acknowledge before their fsync.
unwritten-promise: an epoch is accepted in memory alone. unsynced-names: a start relies on names
that a killed process left. trunc-keeps: TRUNC keeps a transaction. old-read: what was read once is
read again, whatever was written since. behind-serves: a server that has not come as far as a client
takes it nevertheless.
"""


if __name__ == "__main__":
    changed, method, mistake = MISTAKES[sys.argv[1]]
    setattr(changed, method, mistake)
    sys.exit(main(sys.argv[2:]))
