"""`kezuri sbom`: the bill of an image wherever it is, of a directory, or of a document that was written before."""

import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from kezuri.app.request import Settings
from kezuri.sbom.values import Bill

if TYPE_CHECKING:
    from kezuri.app.anatomy import FoundImage
    from kezuri.app.session import Session


class BillRequest(NamedTuple):
    """What a bill is wanted of: `subject` is an image as `kezuri ls` finds it, `dir:PATH` a root directory, `sbom:PATH`
    a CycloneDX or SPDX document (`-` is standard input), or the path of any of them that is there; a bare word is
    looked for in the store first. `platform` and `base` are as in `app.anatomy.Named`. With `image` it is one, whatever
    has its name here."""

    subject: str
    platform: str = ""
    base: str = ""
    image: bool = False


def bill(settings: Settings, request: BillRequest) -> Bill:
    """The bill of the subject: nothing is unpacked, and what was read of a layer once is kept. KezuriError when there
    is no such subject, or it cannot be read."""
    request = located(settings, request)
    subject = request.subject
    if request.image:
        return _of_image(settings, request)
    if subject.startswith("sbom:"):
        return _of_document(subject.removeprefix("sbom:"))
    if subject.startswith("dir:"):
        from kezuri.app.sbom_directory import bill_of_directory

        return bill_of_directory(subject.removeprefix("dir:"))
    return _of_image(settings, request)


def _of_image(settings: Settings, request: BillRequest) -> Bill:
    from kezuri.app.anatomy import Named, found_image
    from kezuri.app.session import Session

    named = Named(request.subject, request.platform, request.base)
    with Session(settings, reading=True) as session, found_image(session, named) as found:
        return bill_of_found(session, found)


def bill_of_found(session: "Session", found: "FoundImage") -> Bill:
    """The bill of an image that was found: the one that was kept, else one that is made now, and kept."""
    from kezuri.app.sbom_kept import KeptBills

    kept = KeptBills(session.store)
    key = kept.key(found.config, found.blobs, found.makers, found.digest)
    known = kept.load(key)
    if known is None:
        from kezuri.sbom.collecting import bill_of

        image = found.dissection()
        known = bill_of(image)
        if image.naming.whole and not any(layer.unread for layer in image.layers):
            kept.save(key, known)
    return known._replace(name=found.name)


def located(settings: Settings, request: BillRequest) -> BillRequest:
    """The same request with its subject so that everybody takes it for the same thing: `dir:`, `sbom:` and the words of
    places before paths. KezuriError where a path cannot be looked at."""
    if request.image or _in_store(settings, request.subject):
        return request._replace(image=True)
    return request._replace(subject=placed(request.subject))


def _in_store(settings: Settings, subject: str) -> bool:
    """Whether a word that could be the path of something here is the name of an image of the store, too: then it is
    that, and `./NAME` is the path."""
    if "/" in subject or subject.startswith(".") or not os.path.lexists(subject):
        return False
    from kezuri.app.session import Session
    from kezuri.diagnostics import KezuriError
    from kezuri.images.kept import find_all

    with suppress(KezuriError), Session(settings, reading=True) as session:
        return bool(find_all(session.store, subject))
    return False


def placed(subject: str) -> str:
    """A subject with the word of the place where it is, if it is the path of something that is there: a root directory,
    a layout of OCI, an archive of images, a document. KezuriError where it cannot be looked at, or a path that no image
    can have as a name leads to nothing."""
    if os.path.isdir(subject):
        return f"{'oci' if os.path.isfile(os.path.join(subject, 'oci-layout')) else 'dir'}:{subject}"
    if not os.path.isfile(subject):
        if subject == "-" or _is_pipe(subject):
            return f"sbom:{subject}"
        if subject.startswith(("/", "./", "../")) and not os.path.exists(subject):
            from kezuri.diagnostics import KezuriError

            raise KezuriError.of(f"there is no file or directory {subject}")
        return subject
    if _begins_as_document(subject):
        return f"sbom:{subject}"
    from kezuri.app.scan_subject import of_archive
    from kezuri.store.archive_file import NoArchive

    try:
        return of_archive(subject)
    except NoArchive:
        return f"sbom:{subject}"


def _is_pipe(path: str) -> bool:
    """Whether a path is what another program writes into: `kezuri scan <(…)`, `… | kezuri scan /dev/stdin`."""
    with suppress(OSError, ValueError):
        return stat.S_ISFIFO(os.stat(path).st_mode)
    return False


def _begins_as_document(path: str) -> bool:
    with suppress(OSError), open(path, "rb") as file:
        return file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[", b"<", b"")
    return True


def _of_document(path: str) -> Bill:
    from kezuri.diagnostics import KezuriError
    from kezuri.sbom.reading import MOST_BYTES, read

    try:
        with open("/dev/stdin" if path == "-" else path, "rb") as file:
            data = file.read(MOST_BYTES + 1)
    except FileNotFoundError as error:
        raise KezuriError.of(f"there is no file {path}") from error
    except OSError as error:
        raise KezuriError.of(f"cannot read {path!r}: {error.strerror}", exit_code=125) from error
    found = read(data, path)
    return found if found.name else found._replace(name=os.path.basename(path))
