"""Mutations from OPEN to UPTODATE, and of epochs."""

from __future__ import annotations

from wire_mutations import (
    CLEAN_START,
    FOLLOWER_RESTART,
    OLD_LEADER,
    OUTSTANDING,
    RECONFIG,
    SNAP_FORCED,
    Lines,
    mutation,
)


@mutation("nothing travels on a connection after its CLOSE", FOLLOWER_RESTART)
def commit_after_close(lines: Lines) -> int:
    close = next(n for n, e in enumerate(lines, 1) if e["type"] == "CLOSE" and e["conn"] == "q6")
    return lines.copy_to(lines.find("q6", "COMMIT"), to=close + 1)


@mutation("a packet travels in its own direction", CLEAN_START)
def commit_from_a_follower(lines: Lines) -> int:
    return lines.change(lines.find("q6", "COMMIT"), **{"from": 1, "to": 3})


@mutation("a learner introduces itself first, once, by its own sid", CLEAN_START)
def introduced_as_somebody_else(lines: Lines) -> int:
    line = lines.find("q6", "FOLLOWERINFO")
    return lines.change(line, data="0000000000000002" + lines.text(line, "data")[16:])


@mutation("a learner introduces itself first, once, by its own sid", CLEAN_START)
def introduced_twice(lines: Lines) -> int:
    line = lines.find("q6", "FOLLOWERINFO")
    return lines.copy_to(line, to=line + 1)


@mutation("a learner introduces itself first, once, by its own sid", CLEAN_START)
def not_introduced(lines: Lines) -> int:
    return lines.copy_to(lines.find("q6", "ACKEPOCH"), to=lines.find("q6", "FOLLOWERINFO"))


@mutation("LEADERINFO answers the introduction, once, with an epoch", CLEAN_START)
def offer_before_introduction(lines: Lines) -> int:
    return lines.move_to(lines.find("q7", "LEADERINFO"), to=lines.find("q7", "FOLLOWERINFO"))


@mutation("LEADERINFO answers the introduction, once, with an epoch", CLEAN_START)
def offer_of_another_protocol(lines: Lines) -> int:
    return lines.change(lines.find("q7", "LEADERINFO"), data="00020000")


@mutation("LEADERINFO answers the introduction, once, with an epoch", CLEAN_START)
def offered_twice(lines: Lines) -> int:
    line = lines.find("q7", "LEADERINFO")
    return lines.copy_to(line, to=line + 1)


@mutation("LEADERINFO answers the introduction, once, with an epoch", CLEAN_START)
def offer_with_a_counter(lines: Lines) -> int:
    return lines.change(lines.find("q7", "LEADERINFO"), zxid="0x100000001")


@mutation("ACKEPOCH answers LEADERINFO, once, if its epoch is not below the accepted", CLEAN_START)
def ackepoch_twice(lines: Lines) -> int:
    line = lines.find("q6", "ACKEPOCH")
    return lines.copy_to(line, to=line + 1)


@mutation("ACKEPOCH answers LEADERINFO, once, if its epoch is not below the accepted", CLEAN_START)
def ackepoch_of_an_offer_that_was_held(lines: Lines) -> int:
    lines.change(lines.find("q6", "LEADERINFO"), held=True)
    return lines.find("q6", "ACKEPOCH")


@mutation("ACKEPOCH answers LEADERINFO, once, if its epoch is not below the accepted", CLEAN_START)
def ackepoch_of_an_epoch_below_the_accepted(lines: Lines) -> int:
    lines.change(lines.find("q6", "FOLLOWERINFO"), zxid="0x200000000")
    return lines.find("q6", "ACKEPOCH")


@mutation("ACKEPOCH has the current epoch, or -1 if the epoch was accepted before", CLEAN_START)
def first_promise_does_not_count(lines: Lines) -> int:
    return lines.change(lines.find("q6", "ACKEPOCH"), data="ffffffff")


@mutation(
    "ACKEPOCH has the current epoch, or -1 if the epoch was accepted before", FOLLOWER_RESTART
)
def second_promise_counts(lines: Lines) -> int:
    return lines.change(lines.find("q12", "ACKEPOCH"), data="00000001")


@mutation("DIFF, TRUNC or SNAP answers ACKEPOCH, once", CLEAN_START)
def diff_before_ackepoch(lines: Lines) -> int:
    return lines.move_to(lines.find("q6", "DIFF"), to=lines.find("q6", "ACKEPOCH"))


@mutation("DIFF, TRUNC or SNAP answers ACKEPOCH, once", OLD_LEADER)
def trunc_behind_diff(lines: Lines) -> int:
    diff = lines.find("q8", "DIFF")
    return lines.change(lines.copy_to(diff, to=diff + 1), type="TRUNC")


@mutation("synchronization begins after the ACKEPOCHs of a quorum", CLEAN_START)
def diff_after_an_ackepoch_that_does_not_count(lines: Lines) -> int:
    lines.change(lines.find("q6", "FOLLOWERINFO"), zxid="0x100000000")
    lines.change(lines.find("q6", "ACKEPOCH"), data="ffffffff")
    return lines.move_to(lines.find("q6", "DIFF"), to=lines.find("q7", "ACKEPOCH"))


@mutation("TRUNC cuts below the learner's last zxid, DIFF goes on from it", FOLLOWER_RESTART)
def diff_below_the_learner(lines: Lines) -> int:
    return lines.change(lines.find("q12", "DIFF"), zxid="0x100000003")


@mutation("TRUNC cuts below the learner's last zxid, DIFF goes on from it", OLD_LEADER)
def trunc_that_cuts_nothing(lines: Lines) -> int:
    return lines.change(lines.find("q11", "TRUNC"), zxid="0x100000006")


@mutation("the stream of a snapshot follows SNAP at once", SNAP_FORCED)
def stream_behind_newleader(lines: Lines) -> int:
    return lines.move_to(lines.find("q3", "SNAPSTREAM"), to=lines.find("q3", "NEWLEADER"))


@mutation("NEWLEADER ends the synchronization, once, with the offered epoch", CLEAN_START)
def newleader_of_another_epoch(lines: Lines) -> int:
    return lines.change(lines.find("q6", "NEWLEADER"), zxid="0x200000000")


@mutation("NEWLEADER ends the synchronization, once, with the offered epoch", CLEAN_START)
def newleader_without_diff(lines: Lines) -> int:
    del lines[lines.find("q6", "DIFF") - 1]
    return lines.find("q6", "NEWLEADER")


@mutation("NEWLEADER ends the synchronization, once, with the offered epoch", CLEAN_START)
def newleader_twice(lines: Lines) -> int:
    line = lines.find("q6", "NEWLEADER")
    return lines.copy_to(line, to=line + 1)


@mutation("UPTODATE follows NEWLEADER and an ACK of the learner, once", CLEAN_START)
def uptodate_before_ack(lines: Lines) -> int:
    return lines.move_to(lines.find("q6", "UPTODATE"), to=lines.find("q6", "ACK"))


@mutation("UPTODATE follows NEWLEADER and an ACK of the learner, once", OUTSTANDING)
def uptodate_before_the_ack_arrives(lines: Lines) -> int:
    return lines.move_to(lines.find("q12", "UPTODATE"), to=lines.find("q12", "ACK", nth=2))


@mutation("UPTODATE follows NEWLEADER and an ACK of the learner, once", CLEAN_START)
def uptodate_twice(lines: Lines) -> int:
    line = lines.find("q6", "UPTODATE")
    return lines.copy_to(line, to=line + 1)


@mutation("UPTODATE follows the ACKs of NEWLEADER by a quorum", RECONFIG)
def uptodate_after_the_ack_of_a_nonvoter(lines: Lines) -> int:
    voter_ack = lines.find("q15", "ACK")
    lines.move_to(lines.find("q14", "ACK"), to=voter_ack)
    return lines.move_to(lines.find("q14", "UPTODATE"), to=voter_ack + 1)


@mutation("a learner ACKs the epoch after NEWLEADER, again after UPTODATE, no more", CLEAN_START)
def epoch_acked_thrice(lines: Lines) -> int:
    second = lines.find("q6", "ACK", "0x100000000", nth=2)
    return lines.copy_to(second, to=second + 1)


@mutation("a learner ACKs the epoch after NEWLEADER, again after UPTODATE, no more", CLEAN_START)
def second_epoch_ack_before_uptodate(lines: Lines) -> int:
    return lines.move_to(
        lines.find("q6", "ACK", "0x100000000", nth=2), to=lines.find("q6", "UPTODATE")
    )


@mutation("an accepted epoch is never forgotten", FOLLOWER_RESTART)
def follower_forgets_its_promise(lines: Lines) -> int:
    return lines.change(lines.find("q12", "FOLLOWERINFO"), zxid="0x0")


@mutation("an accepted epoch is never forgotten", OLD_LEADER)
def old_leader_forgets_what_it_offered(lines: Lines) -> int:
    return lines.change(lines.find("q11", "FOLLOWERINFO"), zxid="0x0")


@mutation("a leader offers an epoch above all that it accepted or offered before", OLD_LEADER)
def new_leader_offers_the_old_epoch(lines: Lines) -> int:
    return lines.change(lines.find("q8", "LEADERINFO"), zxid="0x100000000")


@mutation("an epoch is offered after the introductions of a quorum below it", CLEAN_START)
def offer_without_a_quorum_below(lines: Lines) -> int:
    lines.change(lines.find("q6", "FOLLOWERINFO"), zxid="0x100000000")
    return lines.move_to(lines.find("q6", "LEADERINFO"), to=lines.find("q7", "FOLLOWERINFO"))


@mutation("a leader offers the same epoch to all its learners", CLEAN_START)
def a_larger_epoch_for_the_second_learner(lines: Lines) -> int:
    return lines.change(lines.find("q6", "LEADERINFO"), zxid="0x200000000")


@mutation("an epoch has one leader", CLEAN_START)
def two_leaders_of_an_epoch(lines: Lines) -> int:
    other_ends = {2: 1, 3: 2}  # q7 becomes a connection of learner 1 to leader 2
    for line, entry in enumerate(lines, start=1):
        if entry["conn"] == "q7":
            ends = {key: other_ends[int(str(entry[key]))] for key in ("from", "to")}
            lines.change(line, **ends)
    introduction = lines.find("q7", "FOLLOWERINFO")
    said = lines.text(introduction, "data")
    lines.change(introduction, data="0000000000000001" + said[16:])
    return lines.find("q7", "NEWLEADER")
