from __future__ import annotations

import json
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zabspec.conform.recording import PACKET_NUMBERS, RecordingError
from zabspec.conform.trace import TraceResult, check_trace

RECORDINGS = Path(__file__).parent / "recordings"
ALL_RECORDINGS = sorted(RECORDINGS.glob("*/*.jsonl"))

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda values: st.lists(values, max_size=2) | st.dictionaries(st.text(), values, max_size=2),
    max_leaves=3,
)
QUORUM_VALUES = st.sampled_from(
    [*PACKET_NUMBERS, "OPEN", "CLOSE", "0x0", "0x100000001", "0x200000000", "q6", "q7", "", "ff"]
)
FUZZ = settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def outcome_of(path: Path) -> TraceResult | RecordingError:
    try:
        return check_trace(path)
    except RecordingError as error:
        return error


@FUZZ
@given(source=st.sampled_from(ALL_RECORDINGS), cuts=st.data())
def test_any_bytes_give_a_result_or_a_recording_error(
    tmp_path: Path, source: Path, cuts: st.DataObject
) -> None:
    content = source.read_bytes()
    start = cuts.draw(st.integers(0, len(content)))
    end = cuts.draw(st.integers(start, min(len(content), start + 40)))
    path = tmp_path / "run.jsonl"
    path.write_bytes(content[:start] + cuts.draw(st.binary(max_size=20)) + content[end:])

    outcome = outcome_of(path)

    assert isinstance(outcome, TraceResult) or "\n" not in str(outcome)


@FUZZ
@given(source=st.sampled_from(ALL_RECORDINGS), choice=st.data())
def test_any_keys_give_a_result_or_a_recording_error(
    tmp_path: Path, source: Path, choice: st.DataObject
) -> None:
    entries = [json.loads(line) for line in source.read_text(encoding="utf-8").splitlines()]
    for _ in range(choice.draw(st.integers(1, 4))):
        entry = entries[choice.draw(st.integers(0, len(entries) - 1))]
        key = choice.draw(st.sampled_from([*entry, "held", "gated", "skipped"]))
        entry[key] = choice.draw(QUORUM_VALUES | JSON_VALUES)
    path = tmp_path / "run.jsonl"
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries), encoding="utf-8")

    outcome = outcome_of(path)

    assert isinstance(outcome, TraceResult) or "\n" not in str(outcome)


@FUZZ
@given(source=st.sampled_from(ALL_RECORDINGS), choice=st.data())
def test_any_order_of_lines_gives_a_result_or_a_recording_error(
    tmp_path: Path, source: Path, choice: st.DataObject
) -> None:
    lines = source.read_text(encoding="utf-8").splitlines(keepends=True)
    for _ in range(choice.draw(st.integers(1, 6))):
        moved = lines.pop(choice.draw(st.integers(0, len(lines) - 1)))
        copies = choice.draw(st.integers(0, 2))
        at = choice.draw(st.integers(0, len(lines)))
        lines[at:at] = [moved] * copies
    path = tmp_path / "run.jsonl"
    path.write_text("".join(lines), encoding="utf-8")

    outcome = outcome_of(path)

    assert isinstance(outcome, TraceResult) or "\n" not in str(outcome)
