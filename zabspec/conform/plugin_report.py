"""What the pytest plugin says: of a failure its script, at the end what was covered."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from zabspec.conform import plugin_options as options

if TYPE_CHECKING:
    from zabspec.conform.figures import Figures

_SENT = "zabspec"
_SLOWEST = 3


class Account:
    """Keeps account of a session, in each of its processes; one of them hears of the others.

    seed: drawn for the session.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._figures: Figures | None = None
        self._told: dict[str, dict[str, Any]] = {}
        sent = getattr(config, "workerinput", {}).get(_SENT)
        self.seed: int = int.from_bytes(os.urandom(4), "big") if sent is None else sent

    @property
    def figures(self) -> Figures:
        """What was covered so far."""
        if self._figures is None:
            from zabspec.conform.figures import Figures  # noqa: PLC0415 - nobody asked before

            self._figures = Figures()
        return self._figures

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Of a divergence its own text is shown, and where its script was saved."""
        report = yield
        error = None if call.excinfo is None else call.excinfo.value
        text = _text_of(error) if report.failed and error is not None else None
        if text is not None:
            script = getattr(error, "script", "")
            plays = options.replayed_of(self._config) is not None
            report.longrepr = text + (self._saved(item, script) if script and not plays else "")
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A test is over."""
        told = dict(report.user_properties) if report.when == "teardown" else {}
        if "zab_model" in told or "zab_script" in told:
            self._told[report.nodeid] = told

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:  # noqa: ANN401 - of xdist
        """All processes have one seed."""
        node.workerinput[_SENT] = self.seed

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:  # noqa: ANN401 - of xdist
        """What another process covered."""
        sent = getattr(node, "workeroutput", {}).get(_SENT)
        if sent is not None:
            self.figures.add(sent)

    def pytest_sessionfinish(self) -> None:
        """Sends what was covered, or writes it where a folder is said."""
        if self._figures is None:
            return
        output = getattr(self._config, "workeroutput", None)
        if output is not None:
            output[_SENT] = self._figures.plain()
        elif self._config.getoption("--zab-report") is not None:
            report = {
                "tests": self._told,
                **self._figures.plain(),
                "said": [*self._lines(whole=True)],
            }
            text = json.dumps(report, indent=2, default=str) + "\n"
            (self._folder() / "report.json").write_text(text, encoding="utf-8")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """What was covered, at the end."""
        if self._figures is None and not self._told:
            return
        terminalreporter.section("zabspec")
        for line in self._lines(whole=terminalreporter.verbosity > 0):
            terminalreporter.write_line(line)

    def _lines(self, *, whole: bool) -> Generator[str]:
        told = [one for one in self._told.values() if {"zab_runs", "zab_rows"}.intersection(one)]
        if told:
            profiles = sorted({str(one["zab_profile"]) for one in told})
            seeds = sorted({str(one["zab_seed"]) for one in told})
            yield f"profile {', '.join(profiles)}, seed {', '.join(seeds)}"
        if self._figures is not None:
            yield from self._figures.lines(whole=whole)
        took = {name: float(one.get("zab_seconds", 0)) for name, one in self._told.items()}
        slowest = sorted(took.items(), key=lambda one: -one[1])[:_SLOWEST]
        if slowest:
            yield "slowest: " + ", ".join(f"{name} {seconds:.1f} s" for name, seconds in slowest)
        for one in self._told.values():
            if "zab_script" in one:
                yield f"saved: {one['zab_script']}"

    def _folder(self) -> Path:
        folder = options.report_of(self._config)
        if not folder.is_dir():
            folder.mkdir(parents=True)
            if self._config.getoption("--zab-report") is None:
                (folder / ".gitignore").write_text("*\n", encoding="utf-8")
        return folder

    def _saved(self, item: pytest.Item, script: str) -> str:
        name = re.sub(r"[^\w.]+", "-", item.nodeid).strip("-")
        path = self._folder() / f"{name}.txt"
        path.write_text(script, encoding="utf-8")
        here = self._config.invocation_params.dir
        said = str(path.relative_to(here) if path.is_relative_to(here) else path)
        item.user_properties.append(("zab_script", said))
        system = options.said(self._config, "system")
        start = ["zabspec", "replay", "--system", system] if system else ["pytest", "--zab-replay"]
        return f"\n\nreplay it: {shlex.join([*start, said])}"


def _text_of(error: BaseException) -> str | None:
    """What is said of a finding: its own text; None of any other error."""
    findings = sys.modules.get("zabspec.conform.findings")
    if findings is not None and isinstance(error, findings.Diverged):
        return str(error)
    system = sys.modules.get("zabspec.conform.system")
    if system is not None and isinstance(error, system.SystemFailed):
        return f"the system does not do its part: {error}"
    script = sys.modules.get("zabspec.check.script")
    return str(error) if script is not None and isinstance(error, script.ScriptError) else None
