"""ZooKeeper's release lines: the fine grain with rules replaced.

Each stands for all releases that differ from it in nothing that is modelled (`STANDS_FOR`). What
3.8.0 does differently is what stands behind its name, and so for each. All six ways to take
NEWLEADER are here:

a snapshot always, nothing logged                      3.5.2
the epoch and the ACK, logged after UPTODATE           3.5.3, 3.5.8, 3.6.2
the epoch, then to the log thread, the ACK at once     3.5.10, 3.8.0
all of it logged and synced, the epoch, the ACK        3.8.6
only what is committed, and not in the window          3.9.3
the same, in the window                                3.9.4

Left out, because no model here needs it yet: the 3.4 line, whose leaders decide otherwise what to
send; observers counted in the epoch barriers (until 2959); an ACKEPOCH with zxid -1 (261); a
left-over `currentEpoch.tmp` (4269); NEWLEADER queued before the SNAP is written (3104); that a SNAP
counts as taken at NEWLEADER, where 3.5.10 waits for UPTODATE, as all do here (3642); the refusal
to load a log with a gap (3.9.4). Where a race decides what the log thread still logs while a role
is left (4712), it logs all of it, and late.
"""

from __future__ import annotations

from collections.abc import Mapping

from zabspec.protocol import acceptance, leaving_variants, release_variants, variants
from zabspec.protocol.rules import Spec
from zabspec.protocol.zab import FINE

EVERY = (
    variants.leader_saves_snapshot,
    variants.leader_misses_new_leader_ack,
    release_variants.learner_truncates_log_once,
    release_variants.server_refuses_later_log_once,
    release_variants.follower_commits_of_its_epoch,
)
"""What every release does, to this day."""

_BEFORE_3_6 = (
    variants.leader_repeats_after_snapshot,
    variants.leader_repeats_after_late_snapshot,
    variants.learner_keeps_any_proposal,
)
_SINCE_3_6 = (variants.leader_keeps_acks, variants.leader_keeps_late_acks)
_LOGS_AFTER_UPTODATE = (
    release_variants.learner_applies_after_trunc_or_snap_unseen,
    acceptance.learner_acks_before_it_logs,
)
_GIVES_LOG_THREAD = (
    release_variants.learner_needs_a_proposal_unseen,
    acceptance.learner_acks_before_it_logs,
    acceptance.follower_acks_before_it_syncs,
    acceptance.follower_commits_logged,
    variants.follower_acknowledges_early,
    release_variants.server_keeps_memory_but_snap_once,
)

SEED = FINE.but(
    "zookeeper-3-5-2-fine",
    *EVERY,
    *_BEFORE_3_6,
    variants.learner_claims_diff,
    release_variants.learner_applies_at_once_unseen,
    acceptance.learner_saves_then_epoch,
    leaving_variants.server_reloads_if_it_served,
)

V3_5_3 = FINE.but(
    "zookeeper-3-5-3-fine",
    *EVERY,
    *_BEFORE_3_6,
    variants.learner_claims_diff,
    *_LOGS_AFTER_UPTODATE,
    release_variants.server_keeps_memory_as_it_is,
)

V3_5_8 = FINE.but(
    "zookeeper-3-5-8-fine",
    *EVERY,
    *_BEFORE_3_6,
    *_LOGS_AFTER_UPTODATE,
    leaving_variants.server_keeps_memory,
)

V3_5_10 = FINE.but("zookeeper-3-5-10-fine", *EVERY, *_BEFORE_3_6, *_GIVES_LOG_THREAD)

V3_6_2 = FINE.but(
    "zookeeper-3-6-2-fine",
    *EVERY,
    *_SINCE_3_6,
    variants.learner_keeps_any_proposal,
    *_LOGS_AFTER_UPTODATE,
    leaving_variants.server_keeps_memory,
)

V3_8_0 = FINE.but(
    "zookeeper-3-8-0-fine",
    *EVERY,
    *_SINCE_3_6,
    variants.learner_keeps_any_proposal,
    *_GIVES_LOG_THREAD,
)

V3_8_6 = FINE.but(
    "zookeeper-3-8-6-fine",
    *EVERY,
    *_SINCE_3_6,
    variants.learner_keeps_any_proposal,
    release_variants.learner_needs_a_proposal_unseen,
    acceptance.learner_acks_before_it_logs,
    acceptance.follower_logs_everything,
    acceptance.follower_commits_logged,
    release_variants.server_keeps_memory_but_snap_once,
)

V3_9_3 = FINE.but(
    "zookeeper-3-9-3-fine",
    *EVERY,
    *_SINCE_3_6,
    variants.learner_keeps_any_proposal,
    release_variants.learner_applies_after_trunc_or_snap_unseen,
    release_variants.learner_logs_committed_unseen,
    leaving_variants.server_drains_then_keeps_memory,
)

V3_9_4 = FINE.but(
    "zookeeper-3-9-4-fine",
    *EVERY,
    *_SINCE_3_6,
    variants.learner_applies_after_trunc_or_snap,
    acceptance.learner_logs_committed,
    leaving_variants.server_drains_then_keeps_memory,
)

RELEASES: Mapping[str, Spec] = {
    "3.5.2": SEED,
    "3.5.3": V3_5_3,
    "3.5.8": V3_5_8,
    "3.5.10": V3_5_10,
    "3.6.2": V3_6_2,
    "3.8.0": V3_8_0,
    "3.8.6": V3_8_6,
    "3.9.3": V3_9_3,
    "3.9.4": V3_9_4,
}
"""By version, each in the fine grain."""

STANDS_FOR: Mapping[str, str] = {
    "3.5.2": "3.5.0 to 3.5.2",
    "3.5.3": "3.5.3",
    "3.5.8": "3.5.4 to 3.5.9",
    "3.5.10": "3.5.10",
    "3.6.2": "3.6.0 to 3.6.2",
    "3.8.0": "3.6.3 to 3.7.2, 3.8.0 to 3.8.4, 3.9.0 and 3.9.1",
    "3.8.6": "3.8.5, 3.8.6 and 3.9.2",
    "3.9.3": "3.9.3",
    "3.9.4": "3.9.4 and later",
}
"""Of which releases each is the line."""
