"""ACLs by number: nodes with equal ACLs share one."""

from __future__ import annotations

from collections.abc import Iterable

from impl.datanode import int64
from impl.errors import ErrorCode, KeeperError
from impl.records import OPEN_ACL_UNSAFE, Acl

OPEN_ACL_NUMBER = -1
"""Everybody may do everything; in no table."""


class AclCache:
    """Models ReferenceCountedACLCache."""

    def __init__(self) -> None:
        self._acls: dict[int, tuple[Acl, ...]] = {}
        self._numbers: dict[tuple[Acl, ...], int] = {}
        self._usage: dict[int, int] = {}
        self._last_number = 0

    def convert_acls(self, acl: tuple[Acl, ...] | None) -> int:
        """The number of this ACL, counting one more user; None is open."""
        if acl is None:
            return OPEN_ACL_NUMBER
        number = self._numbers.get(acl)
        if number is None:
            number = self._last_number = int64(self._last_number + 1)
            self._acls[number] = acl
            self._numbers[acl] = number
        self.add_usage(number)
        return number

    def convert_long(self, number: int) -> tuple[Acl, ...]:
        """The ACL with this number.

        Raises KeeperError for one that is not here: a snapshot taken while nodes were made can
        name such, until their transactions are replayed.
        """
        if number == OPEN_ACL_NUMBER:
            return OPEN_ACL_UNSAFE
        if number not in self._acls:
            raise KeeperError(ErrorCode.DATA_INCONSISTENCY, f"no ACL {number}")
        return self._acls[number]

    def add_usage(self, number: int) -> None:
        """One more node has it. Where the snapshot lacks it, no other ACL may get its number.

        ZOOKEEPER-4689: else the node would silently have another ACL.
        """
        if number in self._acls:
            self._usage[number] = self._usage.get(number, 0) + 1
        else:
            self._last_number = max(self._last_number, number)

    def remove_usage(self, number: int) -> None:
        """One node less has it; without any it is forgotten."""
        if number not in self._acls:
            return
        self._usage[number] = self._usage.get(number, 0) - 1
        if self._usage[number] <= 0:
            self._forget(number)

    def numbered(self) -> tuple[tuple[int, tuple[Acl, ...]], ...]:
        """(number, ACL) of each, by number."""
        return tuple(sorted(self._acls.items(), key=lambda numbered: numbered[0]))

    def load(self, numbered: Iterable[tuple[int, tuple[Acl, ...]]]) -> None:
        """Put these in place of all, with no user yet. Models its deserialize."""
        self._acls.clear()
        self._numbers.clear()
        self._usage.clear()
        for number, acl in numbered:
            self._last_number = max(self._last_number, number)
            self._acls[number] = acl
            self._numbers[acl] = number
            self._usage[number] = 0

    def purge_unused(self) -> None:
        """Forget those that no node has."""
        for number in [number for number, usage in self._usage.items() if usage <= 0]:
            self._forget(number)

    def _forget(self, number: int) -> None:
        del self._usage[number]
        acl = self._acls.pop(number)
        # Two numbers of a snapshot may stand for one ACL; the other one keeps it.
        if self._numbers.get(acl) == number:
            del self._numbers[acl]
