"""What `kezuri context --write-ignore` has done, as text and as a document."""

from typing import Any

from kezuri.app.context_ignore import Written
from kezuri.cli.console import Console
from kezuri.cli.quantities import size


def say(console: Console, written: Written) -> None:
    """The new lines on standard output, or the whole file where nothing was written; the rest beside it."""
    phrase = console.phrase
    if not written.lines:
        nothing = phrase("Nothing to hide: all that is not hidden is read.")
        if written.idle:
            nothing = phrase("Nothing to hide: wildcards or variables may lead to what is not read today.")
        console.note(nothing)
        return
    if written.written:
        for line in written.lines:
            console.data(line.text)
    else:
        console.exactly(written.text)
    for name in written.shared:
        console.note(phrase("{} has the same ignore file, and keeps it.", name))
    hidden = sum(line.size for line in written.lines)
    if written.written:
        console.note(phrase("{} hides {} more.", written.path, size(hidden)))
    for word in written.guessed:
        console.note(phrase("{} may name other files when it has another value.", word))
    for rerun in written.reruns:
        console.note(phrase("Line {} runs again: it reads {} less.", rerun.line, size(rerun.size)))
    if written.proved == 1:
        console.note(phrase("Proved: 1 instruction reads what it did, its key is the same."))
    elif written.proved:
        console.note(phrase("Proved: {} instructions read what they did, their keys are the same.", written.proved))


def document(written: Written) -> dict[str, Any]:
    """The same for programs."""
    return {
        "path": written.path,
        "written": written.written,
        "text": written.text,
        "lines": [{"line": line.text, "bytes": line.size, "files": line.files} for line in written.lines],
        "proved": written.proved,
        "runAgain": [
            {"line": each.line, "instruction": each.title, "files": each.files, "bytes": each.size}
            for each in written.reruns
        ],
        "shared": list(written.shared),
        "guessed": list(written.guessed),
    }
