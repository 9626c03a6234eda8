"""What recorded servers were sent, sent to ours: ours sends what they sent.

Byte for byte, digests of the tree included; where it does not, the difference is listed here with
what explains it. `k` was played by a script but for its leader.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from roles_replay import replayed, servers_of

RECORDINGS = Path(__file__).parents[1] / "recordings"

NOT_REPLAYED = {"3.8.0/h_reconfig": "reconfiguration is not built"}

SETTINGS: dict[tuple[str, int], dict[str, Any]] = {
    ("3.5.8/a_clean_start", 3): {"digest_enabled": False, "reconfig_enabled": True},
    ("3.5.8/b_follower_restart_diff", 3): {"digest_enabled": False, "reconfig_enabled": True},
    ("3.5.8/d_trunc_old_leader", 2): {"digest_enabled": False, "reconfig_enabled": True},
    ("3.5.8/d_trunc_old_leader", 3): {"digest_enabled": False, "reconfig_enabled": True},
    ("3.8.0/c2_snap_forced", 3): {"force_snap_sync": True, "until": "3 setData writes"},
    ("3.8.0/c2_snap_forced", 2): {"until": "3 setData writes"},
}
"""How the recorded servers were set up; until: from this mark on, packets are left out."""

CLOSE_SESSION = "before 3.6 a closeSession has no body"
CONFIG_VERSION = "3.5.8 gives a first configuration a version, and its learners take no note of it"
ACKED_IN_SYNC = "follower_acks_before_it_syncs: ACKs of what the sync holds (4685)"
LOGGED_LATE = "learner_acks_before_it_logs: ACKs of what the sync holds, after UPTODATE (3911)"
STALE_ACK = "leader_keeps_acks: what was acknowledged on an earlier connection still counts"
SCRIPT = "the script answers its own way"

LOST = "sent to a follower that was gone, so nobody recorded it"

DIFFERENCES: dict[tuple[str, int], dict[str, str]] = {
    ("3.5.8/a_clean_start", 3): {
        "92 q5 PROPOSAL 1.7: other content": CLOSE_SESSION,
        "93 q6 PROPOSAL 1.7: other content": CLOSE_SESSION,
    },
    ("3.5.8/b_follower_restart_diff", 1): {
        "119 q12 ACK 1.5: nothing": LOGGED_LATE,
        "120 q12 ACK 1.6: nothing": LOGGED_LATE,
        "121 q12 ACK 1.7: nothing": LOGGED_LATE,
    },
    ("3.5.8/b_follower_restart_diff", 3): {
        "128 q12 PROPOSAL 1.9: other content": CLOSE_SESSION,
        "129 q7 PROPOSAL 1.9: other content": CLOSE_SESSION,
        "0 q6 PROPOSAL 1.5: not recorded": LOST,
    },
    ("3.5.8/d_trunc_old_leader", 2): {
        "167 q13 PROPOSAL 2.3: other content": CLOSE_SESSION,
        "168 q10 PROPOSAL 2.3: other content": CLOSE_SESSION,
        "182 q10 PROPOSAL 2.5: other content": CLOSE_SESSION,
        "183 q13 PROPOSAL 2.5: other content": CLOSE_SESSION,
        "189 q10 PROPOSAL 2.6: other content": CLOSE_SESSION,
        "190 q13 PROPOSAL 2.6: other content": CLOSE_SESSION,
    },
    ("3.5.8/d_trunc_old_leader", 3): {
        "135 q13 FOLLOWERINFO 1.0: other content": CONFIG_VERSION,
    },
    ("3.8.0/b_follower_restart_diff", 1): {
        "116 q11 ACK 1.5: nothing": ACKED_IN_SYNC,
        "117 q11 ACK 1.6: nothing": ACKED_IN_SYNC,
        "118 q11 ACK 1.7: nothing": ACKED_IN_SYNC,
    },
    ("3.8.0/i_writes_between_newleader_and_uptodate", 1): {
        "128 q13 ACK 1.4: nothing": ACKED_IN_SYNC,
    },
    ("3.8.0/j_outstanding_at_sync_commit_before_uptodate", 1): {
        "133 q12 ACK 1.4: nothing": ACKED_IN_SYNC,
        "134 q12 ACK 1.5: nothing": ACKED_IN_SYNC,
    },
    ("3.8.0/j_outstanding_at_sync_commit_before_uptodate", 3): {
        "0 q11 UPTODATE -1: not recorded": LOST,
    },
    ("3.8.0/k_ack_outlives_connection", 1): {
        "107 q7 PING 1.2: other content": SCRIPT,
        "0 q10 ACK 1.0: not recorded": SCRIPT,
    },
    ("3.8.0/k_ack_outlives_connection", 2): {"103 q8 PING 1.2: other content": SCRIPT},
    ("3.8.0/k_ack_outlives_connection", 4): {
        "105 q9 PING 1.2: other content": SCRIPT,
        "0 q9 ACK 1.3: not recorded": SCRIPT,
    },
    ("3.8.0/k_ack_outlives_connection", 5): {
        "162 q10 COMMIT 1.3: nothing": STALE_ACK,
        "163 q9 COMMIT 1.3: nothing": STALE_ACK,
        "164 q8 COMMIT 1.3: nothing": STALE_ACK,
    },
}
"""By recording and server, what ours sent otherwise, and why: a release's variant, or the run."""


def _replays() -> list[tuple[str, int]]:
    found = sorted(RECORDINGS.glob("*/*.jsonl"))
    names = {f"{path.parent.name}/{path.stem}": path for path in found}
    return [
        (name, sid)
        for name, path in names.items()
        if name not in NOT_REPLAYED
        for sid in servers_of(path)
    ]


@pytest.mark.parametrize(("name", "sid"), _replays())
def test_our_server_sends_what_the_recorded_one_sent(name: str, sid: int) -> None:
    replay = replayed(RECORDINGS / f"{name}.jsonl", sid, **SETTINGS.get((name, sid), {}))

    found = [str(one) for one in replay.differences]
    assert found == list(DIFFERENCES.get((name, sid), {}))
    assert replay.compared > 5


def test_every_difference_that_is_listed_is_of_a_replay() -> None:
    assert not (DIFFERENCES.keys() | SETTINGS.keys()) - set(_replays())
