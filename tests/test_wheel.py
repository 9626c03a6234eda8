from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

CLONE = Path(__file__).parent.parent

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of an environment that has nothing but the wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, CLONE, at=folder)
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "venv", with_pip=True)
    programs = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
    run(programs / "python", "-m", "pip", "install", "-q", wheel, at=folder)
    return programs


def run(*command: object, at: Path) -> subprocess.CompletedProcess[str]:
    """Runs a program to its end, away from the clone."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(
        [str(part) for part in command],
        cwd=at,
        env=clean,
        check=False,
        capture_output=True,
        text=True,
    )


def test_a_wheel_alone_checks_its_models(installed: Path, tmp_path: Path) -> None:
    done = run(
        installed / "zabspec", "check", "--json", "paper-2-2-2-0", "paper-stale-ack", at=tmp_path
    )

    assert done.returncode == 0, done.stderr
    assert [answer["verdict"] for answer in json.loads(done.stdout)] == ["holds", "broken"]


def test_a_wheel_alone_does_the_main_job(installed: Path, tmp_path: Path) -> None:
    done = run(installed / "zabspec", "check", at=tmp_path)

    assert done.returncode == 0, done.stderr
    assert "baseline-3-1-1-1: 2,283,577 worlds" in done.stdout
    assert "No system was held against it: name one with --system." in done.stdout
    assert "none refused" in done.stdout


def test_a_wheel_alone_replays_what_it_found(installed: Path, tmp_path: Path) -> None:
    run(installed / "zabspec", "check", "paper-stale-ack", "--scripts", "found", at=tmp_path)

    done = run(installed / "zabspec", "replay", "found/paper-stale-ack.txt", at=tmp_path)

    assert done.returncode == 1
    assert 'breaks "what is committed is durable on a quorum"' in done.stdout
    assert not done.stderr


def test_a_wheel_alone_holds_a_recording(installed: Path, tmp_path: Path) -> None:
    done = run(installed / "zabspec", "trace", CLONE / "tests" / "recordings", at=tmp_path)

    assert done.returncode == 0, done.stderr
    assert "refused" not in done.stdout


def test_a_wheel_brings_no_package_called_models(installed: Path, tmp_path: Path) -> None:
    done = run(installed / "python", "-c", "import models", at=tmp_path)

    assert "ModuleNotFoundError" in done.stderr
