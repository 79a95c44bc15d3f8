"""The ids that a process believes to have where the kernel knows a single one, and how they change: credentials(7)."""

from typing import NamedTuple

SAME = 0xFFFFFFFF
"""The id that leaves an id as it is (-1)."""


class Credentials(NamedTuple):
    """Real, effective and saved ids of user and group, and the supplementary groups.

    Each change gives the credentials after it, or None where the kernel would refuse it (EPERM).
    """

    users: tuple[int, int, int] = (0, 0, 0)
    groups: tuple[int, int, int] = (0, 0, 0)
    supplementary: tuple[int, ...] = ()

    @property
    def privileged(self) -> bool:
        """Whether this is root."""
        return self.users[1] == 0

    def set_users(self, *wanted: int) -> "Credentials | None":
        """setresuid(2)."""
        changed = _three(self.users, wanted, self.privileged)
        return self._replace(users=changed) if changed is not None else None

    def set_groups(self, *wanted: int) -> "Credentials | None":
        """setresgid(2)."""
        changed = _three(self.groups, wanted, self.privileged)
        return self._replace(groups=changed) if changed is not None else None

    def set_user(self, wanted: int) -> "Credentials | None":
        """setuid(2)."""
        changed = _one(self.users, wanted, self.privileged)
        return self._replace(users=changed) if changed is not None else None

    def set_group(self, wanted: int) -> "Credentials | None":
        """setgid(2)."""
        changed = _one(self.groups, wanted, self.privileged)
        return self._replace(groups=changed) if changed is not None else None

    def set_two_users(self, real: int, effective: int) -> "Credentials | None":
        """setreuid(2)."""
        changed = _two(self.users, real, effective, self.privileged)
        return self._replace(users=changed) if changed is not None else None

    def set_two_groups(self, real: int, effective: int) -> "Credentials | None":
        """setregid(2)."""
        changed = _two(self.groups, real, effective, self.privileged)
        return self._replace(groups=changed) if changed is not None else None

    def set_supplementary(self, wanted: tuple[int, ...]) -> "Credentials | None":
        """setgroups(2)."""
        return self._replace(supplementary=wanted) if self.privileged else None


def _three(held: tuple[int, int, int], wanted: tuple[int, ...], privileged: bool) -> tuple[int, int, int] | None:
    if not privileged and any(number != SAME and number not in held for number in wanted):
        return None
    real, effective, saved = (old if new == SAME else new for old, new in zip(held, wanted, strict=True))
    return real, effective, saved


def _one(held: tuple[int, int, int], wanted: int, privileged: bool) -> tuple[int, int, int] | None:
    if privileged:
        return wanted, wanted, wanted
    real, _, saved = held
    return (real, wanted, saved) if wanted in (real, saved) else None


def _two(held: tuple[int, int, int], real: int, effective: int, privileged: bool) -> tuple[int, int, int] | None:
    old_real, old_effective, saved = held
    if not privileged:
        if real != SAME and real not in (old_real, old_effective):
            return None
        if effective != SAME and effective not in held:
            return None
    new_real = old_real if real == SAME else real
    new_effective = old_effective if effective == SAME else effective
    if real != SAME or (effective != SAME and effective != old_real):
        saved = new_effective
    return new_real, new_effective, saved
