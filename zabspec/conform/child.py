"""A child process that is asked a line at a time, and answers in time or is ended."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress

from zabspec.conform.system import SystemFailed, shortened

_CHUNK = 1 << 16
_LONGEST = 1 << 22
"""Bytes that an answer may have."""
_KEPT = 4096
"""Bytes of standard error that are kept, for its last line."""
_GRACE = 0.5
"""Seconds in which a child may end by itself once its input has ended."""
_MOMENT = 0.005


class Child:
    """The process of a command, in a process group of its own.

    timeout: seconds for each answer. Whatever goes wrong, an interrupt too, ends it: no later
    answer could be told from an earlier one.
    """

    def __init__(self, words: Sequence[str], timeout: float) -> None:
        self._timeout = timeout
        self._read, self._errors, self._is_heard = b"", b"", True
        try:
            self._process = subprocess.Popen(  # noqa: S603 - what the user asked for
                words,
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            raise SystemFailed(f"{words[0]!a} cannot be run: {why}") from None
        streams = self._process.stdin, self._process.stdout, self._process.stderr
        self._streams = [one for one in streams if one is not None]
        self._in, self._out, self._err = (one.fileno() for one in self._streams)
        for one in self._streams:
            os.set_blocking(one.fileno(), False)
        self._poll = select.poll()
        self._poll.register(self._out, select.POLLIN)
        self._poll.register(self._err, select.POLLIN)

    @property
    def is_alive(self) -> bool:
        """Whether it can still be asked."""
        return bool(self._streams)

    def ask(self, line: bytes) -> bytes:
        """The line that it answers with. Raises SystemFailed."""
        if not self.is_alive:
            raise SystemFailed("its process has been ended after an earlier error")
        try:
            return self._exchange(line)
        except BaseException:
            self.kill()
            raise

    def end(self) -> None:
        """Let it end, and kill it if it does not, and whatever it has started."""
        if self.is_alive:
            self._streams[0].close()
            self._wait(_GRACE)
            self.kill()

    def kill(self) -> None:
        """Kill it, and what it has started."""
        if self.is_alive:
            # Nobody has waited for it so far, so that its number is still its own.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            for one in self._streams:
                one.close()
            self._streams.clear()

    def _exchange(self, line: bytes) -> bytes:
        end = time.monotonic() + self._timeout
        left = self._write(line)
        while b"\n" not in self._read:
            if left:
                self._poll.register(self._in, select.POLLOUT)
            ready = dict(self._poll.poll(max(0, end - time.monotonic()) * 1000))
            if left:
                self._poll.unregister(self._in)
                left = self._write(left) if self._in in ready else left
            if self._err in ready:
                self._hear()
            if self._out in ready:
                self._take()
            if b"\n" not in self._read and time.monotonic() >= end:
                begun = f", but {ascii(self._read[:100])[1:]}" if self._read else ""
                raise SystemFailed(f"no answer within {self._timeout:g} s{begun}")
        answer, _, self._read = self._read.partition(b"\n")
        return answer

    def _write(self, line: bytes) -> bytes:
        """What could not be written yet."""
        try:
            return line[os.write(self._in, line) :]
        except BlockingIOError:
            return line
        except OSError:
            raise self._gone("closed its standard input") from None

    def _take(self) -> None:
        found = os.read(self._out, _CHUNK)
        if not found:
            raise self._gone("closed its standard output")
        self._read += found
        if len(self._read) > _LONGEST:
            raise SystemFailed(
                f"read {ascii(self._read[:100])[1:]}..., more than {_LONGEST:,} bytes"
            )

    def _hear(self) -> bool:
        """Whether it said something on its standard error."""
        found = None
        with suppress(BlockingIOError):
            found = os.read(self._err, _CHUNK) if self._is_heard else None
            self._errors = (self._errors + (found or b""))[-_KEPT:]
        if found == b"":
            self._poll.unregister(self._err)
            self._is_heard = False
        return bool(found)

    def _gone(self, what: str) -> SystemFailed:
        ended = self._wait(_GRACE)
        while self._hear():
            pass
        lines = self._errors.decode(errors="replace").split("\n")
        said = next((one for one in reversed(lines) if one.strip()), "")
        last = f"; its last line of errors: {shortened(said.strip())}" if said else ""
        if ended is None:
            return SystemFailed(f"it {what}, and runs on{last}")
        how = "exit code" if ended.si_code == os.CLD_EXITED else "signal"
        return SystemFailed(f"it died with {how} {ended.si_status}{last}")

    def _wait(self, seconds: float) -> os.waitid_result | None:
        """How it ended; None if it has not, in so many seconds. It stays to be waited for."""
        end = time.monotonic() + seconds
        options = os.WEXITED | os.WNOHANG | os.WNOWAIT
        while True:
            ended = os.waitid(os.P_PID, self._process.pid, options)
            if ended is not None or time.monotonic() >= end:
                return ended
            time.sleep(_MOMENT)
