"""Every promise asked of releases: the loop, what is pinned, and the command that tells it."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from attrs import evolve

from zabspec import cli_releases
from zabspec.check import promises
from zabspec.check.bounds import Bounds
from zabspec.check.every_promise import (
    Breaks,
    Mistake,
    Release,
    ReleaseAnswer,
    Within,
    ask_release,
    break_every,
    load_releases,
)
from zabspec.check.exploration import Progress
from zabspec.check.explore import Explorer, Report
from zabspec.check.model import load_models
from zabspec.check.promises import PROMISES
from zabspec.check.world import Worlds
from zabspec.cli import main
from zabspec.protocol import releases

RELEASES = load_releases()
TWO_SERVERS = Bounds(servers=2, txns=2, lost_links=1, elections=2)
SPEC = RELEASES["3.5.8"].spec
WORLDS = Worlds(SPEC, TWO_SERVERS)
STALE = Mistake("stale", "1234", "an ACK outlives its connection.")
TWICE = Mistake("twice", "5678", "the log holds a transaction twice.")
DURABLE = Breaks(promises.committed_is_durable, 25, STALE)
NO_GAPS = Breaks(promises.no_gaps, 27, TWICE)
SMALL = Release("1.0", "1.0 and 1.1", SPEC, (Within(TWO_SERVERS, (DURABLE, NO_GAPS)),))

BOTH_ALONE = evolve(SMALL, asked=(Within(TWO_SERVERS, (DURABLE, NO_GAPS), whole=False),))

Run = Callable[..., tuple[int, list[str], list[str]]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `zabspec releases` on one small release: exit code, lines of output, of errors."""
    monkeypatch.setenv("COLUMNS", "80")

    def run(release: Release, *arguments: object) -> tuple[int, list[str], list[str]]:
        monkeypatch.setattr(cli_releases, "load_releases", lambda: {release.version: release})
        code = main(["releases", *map(str, arguments)])
        said = capsys.readouterr()
        return code, said.out.splitlines(), said.err.splitlines()

    return run


@cache
def asked_whole() -> ReleaseAnswer:
    return ask_release(SMALL)


def expecting(*breaks: Breaks, whole: bool = True) -> Release:
    return evolve(SMALL, asked=(Within(TWO_SERVERS, breaks, whole=whole),))


# The loop.


def test_every_broken_promise_is_found_by_the_run_that_asking_it_alone_finds() -> None:
    *explored, last = break_every(WORLDS, PROMISES)

    broke = [found.finding.promise for found in explored if found.finding]
    alone = [Explorer(WORLDS, [promise]).run() for promise in broke]
    assert broke == [promises.committed_is_durable, promises.no_gaps]
    assert [found.depth for found in explored] == [found.depth for found in alone] == [25, 27]
    assert last.complete
    assert set(last.premises) == set(PROMISES) - set(broke)


def test_where_nothing_is_left_to_ask_the_last_exploration_is_that_of_a_finding() -> None:
    explored = list(break_every(WORLDS, [promises.no_gaps]))

    assert [found.finding is not None for found in explored] == [True]


def test_what_broke_within_earlier_bounds_is_not_asked_again() -> None:
    smaller = evolve(TWO_SERVERS, txns=1)
    twice = evolve(SMALL, asked=(*SMALL.asked, Within(smaller)))

    answer = ask_release(twice)

    assert {one.promise: one.bounds for one in answer.answers if one.broke} == {
        promises.committed_is_durable: (TWO_SERVERS,),
        promises.no_gaps: (TWO_SERVERS,),
    }
    assert {one.bounds for one in answer.answers if not one.broke} == {(TWO_SERVERS, smaller)}


def test_each_promise_is_answered_once_and_every_one_of_them() -> None:
    answers = asked_whole().answers

    assert len(answers) == len(PROMISES)
    assert {one.promise for one in answers} == set(PROMISES)


def test_of_bounds_that_are_not_asked_whole_only_what_is_named_is_told() -> None:
    answer = ask_release(expecting(NO_GAPS, whole=False))

    assert [(one.promise, one.mistake) for one in answer.answers] == [(promises.no_gaps, TWICE)]


def test_large_bounds_are_asked_on_request() -> None:
    slow = evolve(SMALL, asked=(Within(TWO_SERVERS, (NO_GAPS,), whole=False, slow=True),))

    assert ask_release(slow).answers == ()
    assert len(ask_release(slow, also_slow=True).answers) == 1


# What is pinned.


def test_every_release_line_is_asked_in_the_grain_in_which_commits_are_applied_at_once() -> None:
    assert list(RELEASES) == list(releases.RELEASES)
    for version, release in RELEASES.items():
        assert release.spec.table == releases.RELEASES[version].table
        assert release.spec.fused != releases.RELEASES[version].fused
        assert release.stands_for == releases.STANDS_FOR[version]


@pytest.mark.parametrize("version", RELEASES)
def test_a_promise_is_expected_to_break_once_within_all_that_is_asked_whole(version: str) -> None:
    whole = [within for within in RELEASES[version].asked if within.whole]
    named = [breaks.promise for within in whole for breaks in within.breaks]

    assert len(whole) > 2
    assert len(named) == len(set(named))


@pytest.mark.parametrize("version", RELEASES)
def test_each_mistake_of_a_release_is_a_model(version: str) -> None:
    models, release = load_models(), RELEASES[version]

    for within in release.asked:
        for breaks in within.breaks:
            model = models[f"{release.spec.name}-{breaks.mistake.name}"]
            assert model.spec is release.spec
            assert breaks.mistake.says in model.question


def test_a_plain_check_asks_each_mistake_of_one_release() -> None:
    mistakes = {
        breaks.mistake.name
        for release in RELEASES.values()
        for within in release.asked
        for breaks in within.breaks
        if not within.slow
    }
    names = [
        name
        for name, model in load_models().items()
        if name.startswith("zookeeper-") and not model.slow
    ]

    told = [next(one for one in mistakes if name.endswith(one)) for name in names]
    assert sorted(told) == sorted(mistakes)


@pytest.mark.slow
@pytest.mark.parametrize("version", RELEASES)
def test_a_release_answers_every_promise_as_pinned(version: str) -> None:
    answer = ask_release(RELEASES[version])

    assert answer.surprises == ()
    assert {one.promise for one in answer.answers} == set(PROMISES)
    assert [one.promise for one in answer.answers if not one.broke and not one.cases] == []


@pytest.mark.nightly
@pytest.mark.parametrize(
    "version",
    [name for name, one in RELEASES.items() if any(within.slow for within in one.asked)],
)
def test_it_does_within_large_bounds(version: str) -> None:
    release = RELEASES[version]
    large = [within for within in release.asked if within.slow]

    for within in large:
        known = [one.promise for one in _breaks(release) if one not in within.breaks]
        asked = [one for one in PROMISES if one not in known] if within.whole else []
        expected = {one.promise: one.depth for one in within.breaks}
        groups = [asked] if within.whole else [[one] for one in expected]
        explored = [
            found
            for group in groups
            for found in break_every(Worlds(release.spec, within.bounds), group)
        ]
        broke = {found.finding.promise: found.depth for found in explored if found.finding}
        assert broke == expected


def _breaks(release: Release) -> list[Breaks]:
    return [breaks for within in release.asked for breaks in within.breaks]


# The command.


def test_a_release_is_told_as_a_table_that_fits_80_columns(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli_releases, "ask_release", lambda *_, **__: asked_whole())
    code, said, errors = run(SMALL)

    assert (code, errors) == (0, [])
    assert max(map(len, said)) <= 80
    assert "  A  2 servers, 2 transactions, 1 lost link, 0 crashes, 2 elections" in said
    assert said[3].startswith("ZooKeeper 1.0, as 1.0 and 1.1 (zookeeper-3-5-8, ")
    broken = said.index("  broken     25 A      what is committed is durable on a quorum")
    assert said[broken + 1] == "                       1234, stale"
    assert "  holds         A      earlier epochs are delivered first" in said
    assert "1234       stale: an ACK outlives its connection." in said
    assert said[-2].startswith("1 release asked 20 promises in ")
    assert " 2 answers are broken; none unexpected." in " ".join(said[-2:])


def test_json_says_the_same_with_the_shortest_runs(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli_releases, "ask_release", lambda *_, **__: asked_whole())
    code, said, errors = run(SMALL, "--json")

    (told,) = json.loads("\n".join(said))
    first = told["answers"][0]
    assert (code, errors) == (0, [])
    assert (told["release"], told["as_expected"], len(told["answers"])) == ("1.0", True, 20)
    assert (first["verdict"], first["depth"], first["issue"]) == ("broken", 25, "1234")
    assert first["script"][0].startswith("zabspec script")
    assert {one["verdict"] for one in told["answers"][2:]} == {"holds"}
    assert all(one["cases"] for one in told["answers"][2:])


def test_scripts_are_written_and_replay_to_the_broken_promise(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "found"

    run(BOTH_ALONE, "--scripts", folder)

    files = sorted(path.name for path in folder.iterdir())
    assert files == [
        "zookeeper-3-5-8-stale-what-is-committed-is-durable-on-a-quorum.txt",
        "zookeeper-3-5-8-twice-histories-have-no-gaps.txt",
    ]
    text = (folder / files[1]).read_text(encoding="utf-8")
    assert '# Breaks "histories have no gaps".\n# 5678: the log holds' in text
    main(["replay", str(folder / files[1])])
    assert 'breaks "histories have no gaps"' in capsys.readouterr().out


def test_another_depth_than_pinned_is_a_finding(run: Run) -> None:
    code, said, _ = run(expecting(evolve(NO_GAPS, depth=26), whole=False))

    assert code == 1
    assert "unexpected: expected to break at depth 26, broke at 27" in " ".join(
        " ".join(said).split()
    )
    assert "                       5678, twice" not in said


def test_a_promise_that_breaks_unpinned_is_a_finding_with_a_script(
    run: Run, tmp_path: Path
) -> None:
    code, said, errors = run(expecting(NO_GAPS), "--json", "--scripts", tmp_path)

    (told,) = json.loads("\n".join(said))
    assert code == 1
    assert not told["as_expected"]
    sentence = promises.committed_is_durable.sentence
    assert errors == [f'zabspec: 1.0: "{sentence}": expected to hold, broke at depth 25']
    assert [path.name for path in tmp_path.iterdir() if "unexpected" in path.name] == [
        "zookeeper-3-5-8-unexpected-what-is-committed-is-durable-on-a-quorum.txt"
    ]


def test_a_pinned_promise_that_holds_is_a_finding(run: Run) -> None:
    code, said, _ = run(expecting(Breaks(promises.integrity, 9, STALE), whole=False))

    assert code == 1
    assert "unexpected: expected to break at depth 9, and it holds" in " ".join(
        " ".join(said).split()
    )


def test_a_release_that_is_not_there_is_bad_input(run: Run) -> None:
    code, said, errors = run(SMALL, "1.0", "3.0.0")

    assert (code, said) == (2, [])
    assert errors == ["zabspec: no release line is called '3.0.0'; there are 1.0"]


def test_an_interrupt_says_how_far_it_came(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_title: str, _line: object) -> Report:
        def report(_progress: Progress) -> None:
            raise KeyboardInterrupt

        return report

    monkeypatch.setattr(cli_releases, "_reporter", interrupted)

    code, said, errors = run(SMALL)

    assert (code, said) == (130, [])
    assert errors == ["zabspec: interrupted; 0 releases had answered, 1.0 had not"]


def test_help_tells_how_it_ends(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["releases", "--help"]) == 0
    assert "xit codes" in capsys.readouterr().out
