"""What differs between two readings of a document, as paths: what an edit must not have changed shows here."""

from collections.abc import Iterator

from kezuri.documents.value import Mapping, Scalar, Sequence, Value

Path = tuple[str | int, ...]


def differences(before: Value | None, after: Value | None) -> tuple[Path, ...]:
    """The paths at which two values differ: of a mapping the keys, of a sequence the numbers of its items. Where and
    how something is written, comments and the order of keys are no difference; tags are one."""
    return tuple(_differ(before, after, ()))


def _differ(before: Value | None, after: Value | None, path: Path) -> Iterator[Path]:
    if before is None or after is None:
        if before is not after:
            yield path
    elif before.tag != after.tag:
        yield path
    elif isinstance(before, Mapping) and isinstance(after, Mapping):
        old = {entry.key.text: entry.value for entry in before.entries}
        new = {entry.key.text: entry.value for entry in after.entries}
        for name in (*old, *(name for name in new if name not in old)):
            yield from _differ(old.get(name), new.get(name), (*path, name))
    elif isinstance(before, Sequence) and isinstance(after, Sequence):
        one, two = before.values, after.values
        for number in range(max(len(one), len(two))):
            yield from _differ(
                one[number] if number < len(one) else None, two[number] if number < len(two) else None, (*path, number)
            )
    elif isinstance(before, Scalar) and isinstance(after, Scalar):
        if (before.text, before.style == "plain" or before.style == "none") != (
            after.text,
            after.style == "plain" or after.style == "none",
        ):
            yield path
    else:
        yield path
