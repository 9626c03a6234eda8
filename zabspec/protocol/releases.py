"""ZooKeeper's releases: the fine grain with rules replaced.

What 3.8.0 does differently is what stands behind its name, and so for each. Left out, because no
model here needs it yet: observers counted in the epoch barriers (until 2959), an ACKEPOCH with zxid
-1 (261), a left-over `currentEpoch.tmp` (4269), NEWLEADER queued before the SNAP is written (3104).
Where a race decides what the log thread still logs while a role is left (4712), it logs all of it,
and late.
"""

from __future__ import annotations

from collections.abc import Mapping

from zabspec.protocol import acceptance, leaving_variants, variants
from zabspec.protocol.rules import Spec
from zabspec.protocol.zab import FINE

EVERY = (
    variants.leader_saves_snapshot,
    variants.leader_misses_new_leader_ack,
    variants.learner_truncates_log,
    leaving_variants.server_refuses_later_log,
)
"""What every release does, to this day."""

_BEFORE_3_6 = (
    variants.leader_repeats_after_snapshot,
    variants.leader_repeats_after_late_snapshot,
    variants.learner_keeps_any_proposal,
)
_SINCE_3_6 = (variants.leader_keeps_acks, variants.leader_keeps_late_acks)

SEED = FINE.but(
    "zookeeper-3-5-2-fine",
    *EVERY,
    *_BEFORE_3_6,
    variants.learner_claims_diff,
    variants.learner_applies_at_once,
    acceptance.learner_saves_then_epoch,
    leaving_variants.server_reloads_if_it_served,
)

V3_5_8 = FINE.but(
    "zookeeper-3-5-8-fine",
    *EVERY,
    *_BEFORE_3_6,
    variants.learner_applies_after_trunc_or_snap,
    acceptance.learner_acks_before_it_logs,
    leaving_variants.server_keeps_memory,
)

V3_8_0 = FINE.but(
    "zookeeper-3-8-0-fine",
    *EVERY,
    *_SINCE_3_6,
    variants.learner_keeps_any_proposal,
    variants.learner_needs_a_proposal,
    acceptance.learner_acks_before_it_logs,
    acceptance.follower_acks_before_it_syncs,
    acceptance.follower_commits_logged,
    variants.follower_acknowledges_early,
    leaving_variants.server_keeps_memory_but_snap,
)

V3_8_6 = FINE.but(
    "zookeeper-3-8-6-fine",
    *EVERY,
    *_SINCE_3_6,
    variants.learner_keeps_any_proposal,
    variants.learner_needs_a_proposal,
    acceptance.learner_acks_before_it_logs,
    acceptance.follower_logs_everything,
    acceptance.follower_commits_logged,
    leaving_variants.server_keeps_memory_but_snap,
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
    "3.5.8": V3_5_8,
    "3.8.0": V3_8_0,
    "3.8.6": V3_8_6,
    "3.9.4": V3_9_4,
}
"""By version, each in the fine grain."""
