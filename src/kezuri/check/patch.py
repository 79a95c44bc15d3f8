"""Two texts as a unified diff that `patch` and `git apply` take."""

_UNENDED = "\n\\ No newline at end of file\n"


def unified(before: str | None, after: str | None, name: str) -> str:
    """What has to be done to the one to get the other; empty where they are equal. None is a file that is not there."""
    from difflib import unified_diff

    if before == after:
        return ""
    old, new = _lines(before or ""), _lines(after or "")
    heads = ("/dev/null" if before is None else f"a/{name}", "/dev/null" if after is None else f"b/{name}")
    lines = unified_diff(old, new, *heads, lineterm="\n")
    return "".join(line if line.endswith("\n") else line + _UNENDED for line in lines)


def _lines(text: str) -> list[str]:
    """The lines with their endings; only a newline ends one."""
    found = text.split("\n")
    last = found.pop()
    return [*(f"{line}\n" for line in found), *((last,) if last else ())]
