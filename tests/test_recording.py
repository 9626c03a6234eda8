from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from zabspec.conform.recording import (
    PACKET_NUMBERS,
    Record,
    Recording,
    RecordingError,
    read_recording,
)
from zabspec.conform.recording_configuration import Configuration, parse_configuration
from zabspec.conform.recording_payload import (
    CurrentEpoch,
    DesignatedLeader,
    LeaderVersion,
    LearnerInfo,
    Transaction,
    decode_payload,
)
from zabspec.protocol.state import Zxid

RECORDINGS = Path(__file__).parent / "recordings"
ALL_RECORDINGS = sorted(RECORDINGS.glob("*/*.jsonl"))
CLEAN_START = RECORDINGS / "3.8.0" / "a_clean_start.jsonl"
RECONFIG = RECORDINGS / "3.8.0" / "h_reconfig.jsonl"

OPEN = {"t": 1.0, "conn": "q1", "from": 1, "to": 3, "type": "OPEN", "kind": "quorum"}
COMMIT = {
    "t": 1.5,
    "conn": "q1",
    "from": 3,
    "to": 1,
    "type": "COMMIT",
    "zxid": "0x100000003",
    "data": None,
    "fields": {},
}
ACKEPOCH = COMMIT | {"from": 1, "to": 3, "type": "ACKEPOCH", "data": "ffffffff"}
MARK = {"t": 2, "conn": None, "type": "MARK", "text": "SIGKILL", "skipped": 9}


def write(folder: Path, *entries: object) -> Path:
    path = folder / "run.jsonl"
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries), encoding="utf-8")
    return path


def error_of(path: Path) -> str:
    with pytest.raises(RecordingError) as caught:
        read_recording(path)
    return str(caught.value)


def without(entry: Mapping[str, object], key: str) -> dict[str, object]:
    return {name: value for name, value in entry.items() if name != key}


def only(recording: Recording, record_type: str) -> list[Record]:
    return [record for record in recording.records if record.type == record_type]


# ---- what is read


@pytest.mark.parametrize("path", ALL_RECORDINGS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_line_of_a_real_recording_is_a_record(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()

    recording = read_recording(path)

    assert [record.line for record in recording.records] == list(range(1, len(lines) + 1))
    assert [record.type for record in recording.records] == [json.loads(x)["type"] for x in lines]
    assert recording.release == path.parent.name


def test_a_record_has_what_its_line_has(tmp_path: Path) -> None:
    path = write(tmp_path, OPEN, COMMIT | {"held": True}, MARK)

    recording = read_recording(path)

    opened, commit, mark = recording.records
    assert recording.release is None
    assert (opened.connection, opened.sender, opened.receiver) == ("q1", 1, 3)
    assert (commit.zxid, commit.payload, commit.held, commit.gated) == (
        Zxid(1, 3),
        None,
        True,
        False,
    )
    assert str(commit) == "COMMIT 1.3 from 3 to 1 on q1"
    assert (mark.connection, mark.text, mark.skipped, mark.zxid) == (None, "SIGKILL", 9, None)


def test_the_table_of_packets_has_all_nineteen_numbers() -> None:
    assert sorted(PACKET_NUMBERS.values()) == list(range(1, 20))


def test_the_fields_of_a_recorder_agree_with_what_is_decoded_here() -> None:
    recording = read_recording(CLEAN_START)

    for record in only(recording, "FOLLOWERINFO"):
        assert isinstance(record.decoded, LearnerInfo)
        assert record.decoded.sid == record.fields["serverid"]
    for record in only(recording, "ACKEPOCH"):
        assert isinstance(record.decoded, CurrentEpoch)
        assert record.decoded.epoch == record.fields["currentEpoch"]
    for record in only(recording, "LEADERINFO"):
        assert record.decoded == LeaderVersion(0x10000)
    for record in only(recording, "PROPOSAL"):
        assert isinstance(record.decoded, Transaction)
        assert f"{record.decoded.zxid.pack():#x}" == record.fields["zxid"]
    for record in only(recording, "NEWLEADER"):
        expected = Configuration(0, voters=frozenset({1, 2, 3}), observers=frozenset())
        assert record.decoded == expected


def test_a_reconfiguration_has_the_configuration_it_proposes() -> None:
    recording = read_recording(RECONFIG)

    proposed = [
        record.decoded.configuration
        for record in only(recording, "PROPOSAL")
        if isinstance(record.decoded, Transaction) and record.decoded.configuration
    ]
    activated = {record.decoded for record in only(recording, "COMMITANDACTIVATE")}

    assert [set(found.voters) for found in proposed[::3]] == [{1, 2, 3, 4}, {2, 3, 4}, {2, 4}]
    assert activated == {DesignatedLeader(3), DesignatedLeader(2)}


def test_informandactivate_has_a_leader_before_its_transaction() -> None:
    proposal = bytes(12) + Zxid(1, 3).pack().to_bytes(8, "big") + bytes(8) + b"\0\0\0\5" + b"txn"

    informed = decode_payload("INFORMANDACTIVATE", bytes(8) + proposal)

    assert informed == decode_payload("PROPOSAL", proposal)
    assert isinstance(informed, Transaction)
    assert (informed.zxid, informed.operation) == (Zxid(1, 3), 5)


def test_a_payload_that_was_cut_is_compared_as_far_as_it_goes(tmp_path: Path) -> None:
    header = bytes(12) + Zxid(1, 3).pack().to_bytes(8, "big") + bytes(8) + b"\0\0\0\5"
    content = header.hex() + "ab" * 5000
    cut = COMMIT | {"type": "PROPOSAL", "data": content[:8192] + "...(5032 bytes)"}
    whole = COMMIT | {"type": "PROPOSAL", "data": content}
    other = COMMIT | {"type": "PROPOSAL", "data": header.hex() + "cd" * 5000}

    recording = read_recording(write(tmp_path, OPEN, cut, whole, other))

    first, second, third = (record.decoded for record in only(recording, "PROPOSAL"))
    assert isinstance(first, Transaction)
    assert isinstance(second, Transaction)
    assert isinstance(third, Transaction)
    assert first.is_cut
    assert first.same_as(second)
    assert not first.same_as(third)


# ---- configurations


def test_a_majority_of_the_voters_is_a_quorum() -> None:
    text = (
        "server.1=h:1:2:participant;h:3\nserver.2=h:1:2\nserver.3=h:1:2:participant\n"
        "server.4=h:1:2:observer;h:3\nversion=100000003"
    )

    configuration = parse_configuration(text)

    assert configuration.voters == {1, 2, 3}
    assert configuration.observers == {4}
    assert configuration.version == 0x100000003
    assert configuration.is_quorum({1, 3})
    assert not configuration.is_quorum({1, 4})


def test_groups_need_most_of_the_weight_in_most_of_the_groups() -> None:
    servers = "".join(f"server.{sid}=h:1:2:participant\n" for sid in range(1, 10))
    groups = "group.1=1:2:3\ngroup.2=4:5:6\ngroup.3=7:8:9\n"

    configuration = parse_configuration(f"{servers}{groups}weight.4=0\nversion=0")

    assert configuration.is_quorum({1, 2, 7, 8})
    assert configuration.is_quorum({1, 2, 5, 6})
    assert not configuration.is_quorum({1, 2, 4, 5})
    assert not configuration.is_quorum({1, 2, 3, 4, 7})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("server.1=h:1:2\nversion=xyz", "read configuration version 'xyz', expected a hex number"),
        ("server.1=h:1:2\ngroup.1=1;2", "read group '1;2', expected server ids joined by colons"),
        ("server.1=h:1:2\nweight.1=-2", "read weight '-2', expected a number"),
        ("server.1=h:1:2:observer", "read a configuration without a voter"),
    ],
)
def test_a_text_that_is_no_configuration_is_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_configuration(text)


# ---- what is refused


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ([1, 2], ":2: read JSON that is an array, expected an object"),
        (
            COMMIT | {"type": "COMIT"},
            "read type 'COMIT', expected the name of a packet (near: COMMIT)",
        ),
        (COMMIT | {"type": 4}, "read 'type' that is a number, expected the name of a packet"),
        (without(COMMIT, "zxid"), "read no key 'zxid', expected a zxid in hex"),
        (COMMIT | {"zxid": "0x1g"}, "read zxid '0x1g', expected 0x and up to 16 hex digits"),
        (COMMIT | {"zxid": "0x" + "1" * 17}, "expected 0x and up to 16 hex digits"),
        (COMMIT | {"data": "abc"}, "read data 'abc', expected an even number of hex digits"),
        (COMMIT | {"data": "xy"}, "read data 'xy', expected an even number of hex digits"),
        (COMMIT | {"from": "3"}, "read 'from' that is a string, expected a server id"),
        (COMMIT | {"from": True}, "read 'from' that is a boolean, expected a server id"),
        (COMMIT | {"to": 2}, "read COMMIT from 3 to 2 on q1, expected a record between 1 and 3"),
        (COMMIT | {"conn": "q2"}, "read COMMIT on q2, expected its OPEN first"),
        (COMMIT | {"conn": "e1"}, "read COMMIT on 'e1', expected a connection named q..."),
        (COMMIT | {"conn": None}, "read 'conn' that is null, expected a connection named q..."),
        (COMMIT | {"held": 1}, "read 'held' that is a number, expected true or false"),
        (COMMIT | {"t": None}, "read 't' that is null, expected seconds"),
        (COMMIT | {"t": 10**400}, "read 't' out of range, expected seconds"),
        (COMMIT | {"from": 1 << 63}, "read 'from' out of range, expected a server id of 64 bits"),
        (OPEN | {"conn": "q3", "to": 1}, "read OPEN from 1 to itself, expected two servers"),
        (COMMIT | {"fields": []}, "read 'fields' that is an array, expected an object"),
        (OPEN, "read OPEN of q1 again, expected a name that no connection had before"),
        (ACKEPOCH | {"data": "ffff"}, "read ACKEPOCH data of 2 bytes, expected 4 bytes"),
        (ACKEPOCH | {"data": None}, "read ACKEPOCH data of null, expected 4 bytes"),
        (COMMIT | {"type": "PROPOSAL", "data": "00" * 20}, "read PROPOSAL data of 20 bytes"),
        (COMMIT | {"type": "NEWLEADER", "data": "00" * 20}, "read a configuration without a voter"),
        (without(MARK, "text"), "read no key 'text', expected the text of the mark"),
        (MARK | {"skipped": -1}, "read 'skipped' below 0, expected how many packets"),
    ],
)
def test_a_bad_line_is_refused_in_one_line_with_its_number(
    entry: object, said: str, tmp_path: Path
) -> None:
    path = write(tmp_path, OPEN, entry)

    message = error_of(path)

    assert message.startswith(f"{path}:2: read ")
    assert said in message
    assert "\n" not in message


def test_a_line_that_is_not_json_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.write_text('{"t": 1,\n{}\n', encoding="utf-8")

    message = error_of(path)

    assert message == f"{path}:1: read '{{\"t\": 1,', expected a JSON object"


def test_a_last_line_that_is_cut_is_called_cut(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    whole = CLEAN_START.read_bytes()
    path.write_bytes(whole[:-30])

    message = error_of(path)

    assert message.startswith(f"{path}:104: read a line that is cut after ")


def test_what_is_no_file_of_text_is_refused(tmp_path: Path) -> None:
    empty, binary = tmp_path / "empty", tmp_path / "binary"
    empty.write_bytes(b"")
    binary.write_bytes(b"{}\n\xff\n")

    messages = [error_of(path) for path in (tmp_path / "missing", tmp_path, empty, binary)]

    assert messages == [
        f"{tmp_path / 'missing'}:0: read no such file, expected a recording",
        f"{tmp_path}:0: read a directory, expected a recording",
        f"{empty}:0: read an empty file, expected one JSON object a line",
        f"{binary}:2: read bytes, expected UTF-8 text",
    ]
