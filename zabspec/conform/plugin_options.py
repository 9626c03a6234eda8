"""What the pytest plugin is told on the command line and in settings: read, and refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

PROFILES = ("smoke", "dev", "ci", "nightly")
_DEFAULT_MODEL = "baseline-3-1-1-0"
_REPORT = ".zabspec"


def add_options(parser: pytest.Parser) -> None:
    """The options, and the settings of the same names."""
    group = parser.getgroup("zab", "zabspec: an implementation of Zab beside its model")
    add = group.addoption
    add("--zab-profile", metavar="NAME", help=f"how much is tried: {', '.join(PROFILES)}")
    add("--zab-system", metavar="SYSTEM", help="module:name, or a command that speaks JSON lines")
    add("--zab-model", metavar="MODEL", help="what it is held against: see zabspec models")
    add("--zab-replay", metavar="FILE", help="play this saved script, and run no other test")
    add("--zab-report", metavar="DIR", help="where scripts of failures and a report are written")
    add("--zab-seed", metavar="NUMBER", help="which runs are tried; not said: as the profile does")
    parser.addini("zab_profile", "as --zab-profile", default="")
    parser.addini("zab_system", "as --zab-system", default="")
    parser.addini("zab_model", "as --zab-model", default="")


def said(config: pytest.Config, name: str) -> str:
    """What is said of this on the command line, else in settings; empty where nothing is."""
    option = config.getoption(f"--zab-{name}")
    return str(config.getini(f"zab_{name}") if option is None else option)


def profile_of(config: pytest.Config) -> str:
    """The profile that is asked for, or the usual one: fixed runs where CI is set."""
    return said(config, "profile") or ("ci" if "CI" in os.environ else "dev")


def model_name_of(config: pytest.Config) -> str:
    """The model that is asked for, or the usual one."""
    return said(config, "model") or _DEFAULT_MODEL


def report_of(config: pytest.Config) -> Path:
    """The folder of reports; it need not be there."""
    told = config.getoption("--zab-report")
    return config.rootpath / _REPORT if told is None else config.invocation_params.dir / str(told)


def replayed_of(config: pytest.Config) -> Path | None:
    """The script that is to be played."""
    told = config.getoption("--zab-replay")
    return None if told is None else config.invocation_params.dir / str(told)


def wants_tests(config: pytest.Config) -> bool:
    """Whether a system is named on the command line, and no file of tests."""
    named_files = config.args_source is pytest.Config.ArgsSource.ARGS
    return config.getoption("--zab-system") is not None and not named_files


def seed_of(config: pytest.Config) -> int | None:
    """The seed that is asked for, here or of Hypothesis."""
    for name in ("--zab-seed", "--hypothesis-seed"):
        told = str(config.getoption(name, None) or "")
        if told.isdecimal():
            return int(told)
    return None


def check(config: pytest.Config) -> None:
    """Refuse what cannot be meant, in one line. Raises UsageError."""
    profile, seed = said(config, "profile"), config.getoption("--zab-seed")
    if profile and profile not in PROFILES:
        _refuse("profile", profile, f"one of {', '.join(PROFILES)}")
    if seed is not None and not str(seed).isdecimal():
        _refuse("seed", seed, "a number, 0 or more")
    if said(config, "model"):
        _check_model(said(config, "model"))
    if said(config, "system"):
        _check_system(said(config, "system"))
    if (script := replayed_of(config)) is not None:
        _check_script(script)
    folder = report_of(config)
    if folder.exists() and not folder.is_dir():
        _refuse("report", folder, "a folder")


def _refuse(option: str, read: object, expected: str) -> None:
    raise pytest.UsageError(f'--zab-{option}: read "{read}", expected {expected}')


def _check_model(name: str) -> None:
    from difflib import get_close_matches  # noqa: PLC0415 - not loaded where nothing is asked

    from zabspec.check.model import load_models  # noqa: PLC0415 - as above

    models = load_models()
    if name not in models:
        near = get_close_matches(name, models, n=3, cutoff=0.5)
        _refuse("model", name, f"a model, such as {', '.join(near or list(models)[:3])}")


def _check_system(text: str) -> None:
    from zabspec.conform.systems import system_called  # noqa: PLC0415 - as above

    try:
        system_called(text)
    except Exception as error:
        line = " ".join(str(error).split())
        raise pytest.UsageError(f"--zab-system: {line}") from error


def _check_script(path: Path) -> None:
    from zabspec.check.script import ScriptError, read_script  # noqa: PLC0415 - as above

    try:
        read_script(path)
    except ScriptError as error:
        raise pytest.UsageError(f"--zab-replay: {error}") from error
