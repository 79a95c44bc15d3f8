"""What of a scan may pass: ignore files and VEX documents, found and read."""

from collections.abc import Sequence
from typing import NamedTuple

from kezuri.app.request import Settings
from kezuri.app.sbom import BillRequest
from kezuri.diagnostics import KezuriError
from kezuri.sbom.values import Bill
from kezuri.scan.values import Finding

_LARGEST_IGNORE_FILE = 4 << 20


class Excuses(NamedTuple):
    """Where it stands what may pass: ignore files of Trivy, documents of OpenVEX, and the image `beside` which more of
    them are, None where these do not count."""

    ignore_files: tuple[str, ...] = ()
    vex: tuple[str, ...] = ()
    beside: BillRequest | None = None


def let_pass(
    settings: Settings, excuses: Excuses, bill: Bill, findings: Sequence[Finding], told: list[str], now: float
) -> tuple[Finding, ...]:
    """The findings, with those marked that an ignore file or a VEX document lets pass; what of these cannot be used is
    added to `told`. `now` is in seconds since 1970. KezuriError for a file that cannot be read."""
    passed = tuple(findings)
    if excuses.ignore_files:
        from kezuri.diagnostics import SourceText
        from kezuri.scan import ignore_file

        entries: list[ignore_file.Passed] = []
        for path in excuses.ignore_files:
            text = _text(path, _LARGEST_IGNORE_FILE)
            if text is None:
                told.append(f"there is no ignore file {path}")
                continue
            file = ignore_file.read(SourceText(path, text.decode("utf-8-sig", "surrogateescape")))
            entries += file.entries
            told += file.told
        passed, expired = ignore_file.apply(passed, entries, now)
        told += expired
    if excuses.vex or excuses.beside is not None:
        from kezuri.scan import vex

        documents = [vex.read(_document(path), path) for path in excuses.vex]
        if excuses.beside is not None:
            for where, document in _attached(settings, excuses.beside, bill, told):
                try:
                    documents.append(vex.read(document, where))
                except KezuriError as error:  # Nobody who scans has put it there.
                    told.append(error.diagnostics[0].message)
        statements: list[vex.Statement] = []
        for read in documents:
            statements += read.statements
            told += read.told
        passed = vex.apply(passed, statements, bill)
    return passed


def _attached(settings: Settings, image: BillRequest, bill: Bill, told: list[str]) -> list[tuple[str, bytes]]:
    if bill.kind != "image":
        told.append(f"{bill.name} is no image: nothing can be attached to it")
        return []
    from kezuri.app.attestations import VEX, attached
    from kezuri.app.session import Session
    from kezuri.transfer.places import read_place

    with Session(settings, reading=True) as session:
        found = attached(session, read_place(image.subject), VEX, image.platform, told.append)
    if not found:
        told.append(f"no VEX document is attached to {bill.name}")
    return [(each.where, each.data) for each in found]


def _document(path: str) -> bytes:
    from kezuri.scan.vex import MOST_BYTES

    data = _text(path, MOST_BYTES + 1)
    if data is None:
        raise KezuriError.of(f"there is no VEX document {path}", exit_code=2)
    return data


def _text(path: str, most: int) -> bytes | None:
    """The bytes of a file; None where there is none. KezuriError for one that cannot be read, or has more."""
    try:
        with open(path, "rb") as file:
            data = file.read(most + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise KezuriError.of(f"cannot read {path}: {error.strerror}", exit_code=2) from None
    if len(data) > most:
        raise KezuriError.of(f"{path} is larger than {most} bytes", exit_code=2)
    return data
