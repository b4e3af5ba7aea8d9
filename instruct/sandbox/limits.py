"""What a job in the sandbox may use."""

from __future__ import annotations

import math
from dataclasses import dataclass

from columns.errors import RecipeError

_MB = 1 << 20


@dataclass(frozen=True)
class Limits:
    """Limits of one job: a trial, a row of calls, a script, a command of a project.

    Attributes:
        wall_s: seconds from the job's start to its end, loading and all tests together.
        cpu_s: seconds of processor time, rounded up to whole seconds.
        memory_mb: MiB of address space of each process (and of all together, where cgroups are writable).
        processes: how many processes may be started; 0: no new process and no new program at all, threads only.
        disk_mb: MiB of the only writable directory, and of one file.
        output_kb: KiB of standard output, of standard error, and of one returned value.

    Raises:
        RecipeError: a limit is not positive (processes: negative), or has no end.
    """

    wall_s: float = 3.0
    cpu_s: float = 3.0
    memory_mb: int = 512
    processes: int = 0
    disk_mb: int = 16
    output_kb: int = 64

    def __post_init__(self) -> None:
        for name in ("wall_s", "cpu_s", "memory_mb", "disk_mb", "output_kb"):
            if not 0 < getattr(self, name) < math.inf:
                raise RecipeError(
                    f"sandbox limit {name} must be positive and finite, got {getattr(self, name)}"
                )
        if not 0 <= self.processes < math.inf:
            raise RecipeError(f"sandbox limit processes must be 0 or more and finite, got {self.processes}")

    @property
    def output_bytes(self) -> int:
        """The cap of one output, in bytes."""
        return self.output_kb << 10

    def rlimits(self) -> dict[str, tuple[int, int]]:
        """Resource limits (soft, hard) by the names of the module ``resource``.

        >>> Limits(memory_mb=64).rlimits()["RLIMIT_AS"]
        (67108864, 67108864)
        """
        cpu = math.ceil(self.cpu_s)
        return {
            "RLIMIT_AS": (self.memory_mb * _MB,) * 2,
            "RLIMIT_CPU": (cpu, cpu + 1),
            "RLIMIT_NPROC": (self.processes + 32,) * 2,
            "RLIMIT_FSIZE": (self.disk_mb * _MB,) * 2,
            "RLIMIT_NOFILE": (64,) * 2 if self.processes == 0 else (1024,) * 2,
            "RLIMIT_STACK": (8 * _MB,) * 2,
            "RLIMIT_CORE": (0, 0),
            "RLIMIT_MEMLOCK": (0, 0),
        }
