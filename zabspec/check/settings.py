"""How an exploration is carried out. What it finds does not depend on it."""

from __future__ import annotations

from pathlib import Path

from attrs import field, frozen, validators

from zabspec.check.kernels import Kernels, best


@frozen
class Settings:
    """How an exploration is carried out.

    jobs: threads that share the work. memory_mb: where it stops, in MiB; None: nowhere.
    words: of 64 bits in a fingerprint. symmetry: worlds that differ in which server is which are
    taken for one; SpecError where the spec does not allow that.
    checkpoint: a folder to keep it in; resume: go on from what is kept there, if anything is.
    every: seconds from one checkpoint to the next, at least. kernels: the loops of `kernels`.
    """

    jobs: int = field(default=1, validator=[validators.instance_of(int), validators.ge(1)])
    memory_mb: int | None = field(default=None, validator=validators.optional(validators.ge(1)))
    words: int = field(default=1, validator=validators.in_((1, 2)))
    symmetry: bool = False
    checkpoint: Path | None = None
    resume: bool = False
    every: float = 10.0
    kernels: Kernels = field(factory=best)
