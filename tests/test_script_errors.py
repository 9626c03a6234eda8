from __future__ import annotations

from pathlib import Path

import pytest

from zabspec.check.play import play
from zabspec.check.script import ACTIONS, ScriptError, parse_script, read_script
from zabspec.protocol.paper import PAPER

HEADER = "zabspec script 1\nspec paper\nservers 3\n"

UNREADABLE = {
    "nothing": ("", 'some.txt:1: read "", expected zabspec script 1'),
    "no version": ("spec paper\n", 'some.txt:1: read "spec paper", expected zabspec script 1'),
    "another version": (
        "# So old.\nzabspec script 0\n",
        'some.txt:2: read "zabspec script 0", expected zabspec script 1',
    ),
    "no spec": (
        "zabspec script 1\n\nservers 3\n",
        'some.txt:3: read "servers 3", expected spec NAME',
    ),
    "no servers": (
        "zabspec script 1\nspec paper\nelect 1 among 1 2\n",
        'some.txt:3: read "elect 1 among 1 2", expected servers 2 (at most 9)',
    ),
    "one server": (
        "zabspec script 1\nspec paper\nservers 1\n",
        'some.txt:3: read "servers 1", expected servers 2 (at most 9)',
    ),
    "outputs of nothing": (
        HEADER + "    1 is Leader DISCOVERY\n",
        'some.txt:4: read "1 is Leader DISCOVERY", expected an action before its outputs',
    ),
    "no action": (
        HEADER + "# So far so good.\npanic 1\n",
        f'some.txt:5: read "panic 1", expected {ACTIONS}',
    ),
    "no packet": (
        HEADER + "deliver 1 -> 2 LeadrInfo epoch=1\n",
        'some.txt:4: read "LeadrInfo", expected a packet such as LeaderInfo',
    ),
    "a packet without its fields": (
        HEADER + "deliver 1 -> 2 NewLeader epoch=1\n",
        'some.txt:4: read "NewLeader epoch=1", expected NewLeader epoch=... history=...',
    ),
    "more than a packet": (
        HEADER + "deliver 1 -> 2 LeaderInfo epoch=1 2\n",
        'some.txt:4: read "LeaderInfo epoch=1 2", expected LeaderInfo epoch=...',
    ),
    "no value": (
        HEADER + "deliver 1 -> 2 Commit zxid=one\n",
        (
            'some.txt:4: read "one", expected a number, a zxid 1.2, a transaction 1.2:r3,'
            " a history [...] or -"
        ),
    ),
    "a value of another kind": (
        HEADER + "deliver 1 -> 2 Commit zxid=1\n",
        'some.txt:4: read "Commit zxid=1", expected zxid to be Zxid',
    ),
    "a crash of nobody": (
        HEADER + "lose link 1 - 2 / crash after 1\n",
        f'some.txt:4: read "lose link 1 - 2 / crash after 1", expected {ACTIONS}',
    ),
}

IMPOSSIBLE = {
    "an action too early": (
        "ask 1\n",
        'some.txt:4: read "ask 1", expected what can happen here: elect 1 among 1 2; ',
    ),
    "another packet than the next": (
        "elect 1 among 1 2\ndeliver 2 -> 1 FollowerInfo accepted_epoch=7\n",
        (
            'some.txt:5: read "deliver 2 -> 1 FollowerInfo accepted_epoch=7", expected'
            " what can happen here: deliver 2 -> 1 FollowerInfo accepted_epoch=0; "
        ),
    ),
    "a crash where none can fall": (
        "elect 1 among 1 2\ndeliver 2 -> 1 / crash after 7\n",
        'some.txt:5: read "deliver 2 -> 1 / crash after 7", expected what can happen here: ',
    ),
    "a server that does not exist": (
        "restart 4\n",
        'some.txt:4: read "restart 4", expected what can happen here: ',
    ),
    "a link that is not there": (
        "lose link 1 - 2\n",
        'some.txt:4: read "lose link 1 - 2 keeping 0 0", expected what can happen here: ',
    ),
    "an election by fewer than a quorum": (
        "elect 1 among 1\n",
        'some.txt:4: read "elect 1 among 1", expected what can happen here: ',
    ),
}


@pytest.mark.parametrize(("text", "error"), UNREADABLE.values(), ids=UNREADABLE)
def test_a_script_that_cannot_be_read_says_where_and_what_was_expected(
    text: str, error: str
) -> None:
    with pytest.raises(ScriptError) as caught:
        parse_script(text, "some.txt")

    assert str(caught.value) == error


@pytest.mark.parametrize(("body", "error"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_an_action_that_cannot_happen_says_what_can(body: str, error: str) -> None:
    script = parse_script(HEADER + body, "some.txt")

    with pytest.raises(ScriptError) as caught:
        list(play(script, PAPER, ()))

    assert str(caught.value).startswith(error)
    assert "\n" not in str(caught.value)


def test_a_script_that_is_not_there_or_no_text_says_so(tmp_path: Path) -> None:
    missing, bytes_only = tmp_path / "missing.txt", tmp_path / "bytes.txt"
    bytes_only.write_bytes(b"zabspec\xff")

    with pytest.raises(ScriptError) as no_file:
        read_script(missing)
    with pytest.raises(ScriptError) as no_text:
        read_script(bytes_only)

    assert str(no_file.value) == (
        f'{missing}: read "No such file or directory", expected a script to read'
    )
    assert str(no_text.value) == f'{bytes_only}: read "byte 7", expected UTF-8 text'


def test_a_delivery_that_names_no_packet_delivers_what_is_next() -> None:
    script = parse_script(HEADER + "elect 1 among 1 2\ndeliver 2 -> 1\n")

    *_, delivered = play(script, PAPER, ())

    assert delivered.outputs == ("1 writes AcceptedEpoch epoch=1", "1 -> 2 LeaderInfo epoch=1")


def test_a_remark_begins_its_line_and_what_is_indented_is_an_output() -> None:
    script = parse_script(
        HEADER + "# A remark.\nelect 1 among 1 2\n    # 1 is ill\n\n# So it is.\n"
    )

    assert [line.outputs for line in script.lines] == [("# 1 is ill",)]
