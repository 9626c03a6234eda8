"""Mutations of transactions."""

from __future__ import annotations

from wire_mutations import (
    CLEAN_START,
    FOLLOWER_RESTART,
    OBSERVER,
    OLD_LEADER,
    OUTSTANDING,
    RECONFIG,
    SNAP_FORCED,
    Lines,
    mutation,
)


@mutation("transactions follow DIFF, TRUNC or SNAP", CLEAN_START)
def proposal_before_diff(lines: Lines) -> int:
    return lines.copy_to(lines.find("q6", "PROPOSAL"), to=lines.find("q6", "DIFF"))


@mutation("followers get PROPOSAL and COMMIT, observers INFORM", OBSERVER)
def proposal_to_an_observer(lines: Lines) -> int:
    return lines.change(lines.find("q10", "INFORM"), type="PROPOSAL")


@mutation("followers get PROPOSAL and COMMIT, observers INFORM", OBSERVER)
def inform_to_a_follower(lines: Lines) -> int:
    return lines.change(lines.find("q5", "PROPOSAL"), type="INFORM")


@mutation("after NEWLEADER transactions are of the leader's epoch", CLEAN_START)
def proposal_of_a_later_epoch(lines: Lines) -> int:
    return lines.change(lines.find("q6", "PROPOSAL"), zxid="0x200000001")


@mutation("after NEWLEADER transactions are of the leader's epoch", OLD_LEADER)
def commit_of_an_earlier_epoch(lines: Lines) -> int:
    return lines.change(lines.find("q8", "COMMIT"), zxid="0x100000004")


@mutation("a transaction's header names the zxid of its packet", CLEAN_START)
def header_with_another_zxid(lines: Lines) -> int:
    line = lines.find("q6", "PROPOSAL")
    header = lines.text(line, "data")
    return lines.change(line, data=f"{header[:24]}0000000100000009{header[40:]}")


@mutation("a zxid has one content", CLEAN_START)
def another_time_in_the_second_proposal(lines: Lines) -> int:
    line = lines.find("q7", "PROPOSAL")
    header = lines.text(line, "data")
    return lines.change(line, data=f"{header[:40]}0000000000000000{header[56:]}")


@mutation("a zxid has one content", OBSERVER)
def another_content_in_inform(lines: Lines) -> int:
    line = lines.find("q10", "INFORM")
    transaction = lines.text(line, "data")
    return lines.change(line, data=transaction.replace("2f6e32", "2f6e33", 1))


@mutation("PROPOSALs and INFORMs leave no gap on a connection", FOLLOWER_RESTART)
def diff_with_a_hole(lines: Lines) -> int:
    del lines[lines.find("q12", "COMMIT", "0x100000005") - 1]
    del lines[lines.find("q12", "PROPOSAL", "0x100000005") - 1]
    return lines.find("q12", "PROPOSAL", "0x100000006")


@mutation("PROPOSALs and INFORMs leave no gap on a connection", OBSERVER)
def inform_with_a_hole(lines: Lines) -> int:
    del lines[lines.find("q10", "INFORM", "0x100000005") - 1]
    return lines.find("q10", "INFORM", "0x100000006")


@mutation("PROPOSALs and INFORMs leave no gap on a connection", OBSERVER)
def hole_behind_a_snapshot(lines: Lines) -> int:
    lines.change(lines.find("q10", "SNAP"), zxid="0x100000002")
    return lines.find("q10", "INFORM", "0x100000004")


@mutation("PROPOSALs and INFORMs leave no gap on a connection", SNAP_FORCED)
def hole_where_nothing_was_left_out(lines: Lines) -> int:
    mark = next(n for n, entry in enumerate(lines, start=1) if "skipped" in entry)
    lines.change(mark, skipped=0)
    return lines.find("q3", "PROPOSAL", "0x100000008")


@mutation("COMMITs follow the order of the PROPOSALs", CLEAN_START)
def commit_of_what_was_not_proposed(lines: Lines) -> int:
    return lines.change(lines.find("q6", "COMMIT"), zxid="0x100000002")


@mutation("COMMITs follow the order of the PROPOSALs", OUTSTANDING)
def commits_out_of_order(lines: Lines) -> int:
    return lines.move_to(
        lines.find("q11", "COMMIT", "0x100000005"), to=lines.find("q11", "COMMIT", "0x100000004")
    )


@mutation("a COMMIT or INFORM follows the ACKs of a quorum", CLEAN_START)
def commit_before_any_ack(lines: Lines) -> int:
    return lines.move_to(
        lines.find("q6", "COMMIT", "0x100000001"), to=lines.find("q7", "ACK", "0x100000001")
    )


@mutation("a COMMIT or INFORM follows the ACKs of a quorum", OBSERVER)
def inform_before_any_ack(lines: Lines) -> int:
    return lines.move_to(
        lines.find("q10", "INFORM", "0x100000004"), to=lines.find("q6", "ACK", "0x100000004")
    )


@mutation("a COMMIT or INFORM follows the ACKs of a quorum", OUTSTANDING)
def commit_before_the_ack_arrives(lines: Lines) -> int:
    return lines.move_to(
        lines.find("q6", "COMMIT", "0x100000004"),
        to=lines.find("q6", "ACK", "0x100000004", nth=2),
    )


@mutation("a COMMIT or INFORM follows the ACKs of a quorum", RECONFIG)
def reconfiguration_without_the_new_quorum(lines: Lines) -> int:
    return lines.move_to(
        lines.find("q5", "COMMITANDACTIVATE", "0x100000008"),
        to=lines.find("q13", "ACK", "0x100000008"),
    )


@mutation("a COMMIT or INFORM follows the ACKs of a quorum", RECONFIG)
def reconfiguration_without_the_old_quorum(lines: Lines) -> int:
    return lines.move_to(
        lines.find("q5", "COMMITANDACTIVATE", "0x100000003"),
        to=lines.find("q5", "ACK", "0x100000003"),
    )


@mutation("a COMMIT or INFORM follows the ACKs of a quorum", SNAP_FORCED)
def commit_before_any_ack_of_what_was_not_left_out(lines: Lines) -> int:
    return lines.move_to(
        lines.find("q3", "COMMIT", "0x100000008"), to=lines.find("q3", "ACK", "0x100000008")
    )


@mutation("COMMITANDACTIVATE commits a reconfiguration", CLEAN_START)
def activation_of_an_ordinary_transaction(lines: Lines) -> int:
    return lines.change(
        lines.find("q6", "COMMIT"), type="COMMITANDACTIVATE", data="0000000000000003"
    )


@mutation("an observer ACKs no transaction", OBSERVER)
def ack_of_an_inform(lines: Lines) -> int:
    ack = lines.find("q10", "ACK")
    inform = lines.find("q10", "INFORM")
    return lines.change(lines.copy_to(ack, to=inform + 1), zxid=lines.text(inform, "zxid"))


@mutation("a transaction is ACKed after its PROPOSAL and NEWLEADER, once", CLEAN_START)
def ack_before_the_proposal(lines: Lines) -> int:
    return lines.move_to(
        lines.find("q6", "ACK", "0x100000001"), to=lines.find("q6", "PROPOSAL", "0x100000001")
    )


@mutation("a transaction is ACKed after its PROPOSAL and NEWLEADER, once", CLEAN_START)
def transaction_acked_twice(lines: Lines) -> int:
    ack = lines.find("q6", "ACK", "0x100000001")
    return lines.copy_to(ack, to=ack + 1)


@mutation("a transaction is ACKed after its PROPOSAL and NEWLEADER, once", CLEAN_START)
def ack_of_a_proposal_that_was_held(lines: Lines) -> int:
    lines.change(lines.find("q6", "PROPOSAL", "0x100000001"), held=True)
    return lines.find("q6", "ACK", "0x100000001")


@mutation("a transaction is ACKed after its PROPOSAL and NEWLEADER, once", FOLLOWER_RESTART)
def transaction_acked_before_newleader(lines: Lines) -> int:
    return lines.move_to(lines.find("q12", "ACK", "0x100000005"), to=lines.find("q12", "NEWLEADER"))
