"""Users and groups as --chown and USER write them: numbers are ids, names need the image's files."""

MAX_ID = (1 << 32) - 2


def number_of(text: str, limit: int = MAX_ID) -> int | None:
    """The number that a user or group is written as; `root` is 0. None for any other name, and above the limit."""
    if text == "root":
        return 0
    if not (text.isascii() and text.isdecimal()):
        return None
    # Python refuses to read very long numbers.
    digits = text.lstrip("0") or "0"
    number = int(digits) if len(digits) <= 10 else limit + 1
    return number if number <= limit else None


def needs_accounts(spec: str) -> bool:
    """Whether a `--chown` value can only be understood with the image's passwd or group file: they are part of the
    key of the instruction then."""
    return any(part and number_of(part) is None for part in spec.partition(":")[::2])
