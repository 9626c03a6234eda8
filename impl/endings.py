"""Why a role ends."""

from __future__ import annotations


class RoleEnded(Exception):
    """A server leaves its role, for this reason, and looks for a leader again."""


class ProcessExit(RoleEnded):
    """ZooKeeper would end the process here (`System.exit`); the role ends.

    code: its exit code.
    """

    def __init__(self, code: int, why: str) -> None:
        super().__init__(f"exit {code}: {why}")
        self.code = code


class LearnerRefused(Exception):
    """A leader closes the connection of one learner, for this reason."""
