"""Files fetched over HTTP into a directory, under their digest, verified when they come and whenever they are used."""

import contextlib
import hashlib
import os
from typing import IO, TYPE_CHECKING, Any

from kezuri.diagnostics import KezuriError

if TYPE_CHECKING:
    from urllib.request import OpenerDirector

_ATTEMPTS = 3
_TIMEOUT = 30.0
_CHUNK = 1 << 18
_STALE = 86400
_PAUSE = 1.0


class Unreachable(KezuriError):
    """A server did not answer, or not with what was asked for."""


class NotThere(Unreachable):
    """The server says that it has no such file."""


class Downloads:
    """Fetches files. Proxies are taken from the environment as Python takes them (http_proxy, https_proxy, no_proxy).

    `directory` is made when missing; files lie in it as `<sha256>`. `ca_certificates` is a PEM file that is trusted
    in addition to the system's, or empty. Safe to use from several threads.
    """

    def __init__(self, directory: str, ca_certificates: str = "") -> None:
        self._directory = directory
        self._ca = ca_certificates
        self._opener: OpenerDirector | None = None
        os.makedirs(directory, exist_ok=True)
        self._sweep()

    def file(self, url: str, sha256: str, size: int) -> str:
        """The path of the file with this digest and size, from the directory or from `url`.

        KezuriError when what arrives is something else."""
        path = os.path.join(self._directory, sha256)
        if self._holds(path, sha256, size):
            return path
        with self._aside() as (aside, out):
            digest = self._copy(url, out, size)
            if out.tell() != size or digest != sha256:
                raise KezuriError.of(
                    f"{url}: {out.tell()} bytes with SHA-256 {digest},"
                    f" but the index promises {size} bytes with {sha256}",
                    hint="the mirror, or a proxy before it, serves something else than what Debian has published;"
                    " try again, or another mirror by KEZURI_DEBIAN_MIRROR",
                )
            out.flush()
            os.fsync(out.fileno())
            os.rename(aside, path)
        return path

    def text(self, url: str, most: int) -> bytes:
        """A small file's content, at most `most` bytes, not kept."""
        from io import BytesIO

        out = BytesIO()
        self._copy(url, out, most)
        return out.getvalue()

    def _holds(self, path: str, sha256: str, size: int) -> bool:
        try:
            with open(path, "rb") as file:
                if (
                    os.fstat(file.fileno()).st_size == size
                    and hashlib.file_digest(file, "sha256").hexdigest() == sha256
                ):
                    return True
        except FileNotFoundError:
            return False
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        return False

    @contextlib.contextmanager
    def _aside(self) -> Any:
        from tempfile import mkstemp

        descriptor, path = mkstemp(prefix=".part-", dir=self._directory)
        try:
            with os.fdopen(descriptor, "wb") as out:
                yield path, out
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)

    def _sweep(self) -> None:
        """Removes what killed downloads have left, once nobody can be writing it any more."""
        from time import time

        for entry in os.scandir(self._directory):
            with contextlib.suppress(FileNotFoundError):
                if entry.name.startswith(".part-") and entry.stat().st_mtime < time() - _STALE:
                    os.unlink(entry.path)

    def _copy(self, url: str, out: IO[bytes], most: int) -> str:
        """Writes the body of `url` to `out`, which is begun anew on every attempt; its SHA-256 in hex."""
        from http.client import HTTPException
        from time import sleep
        from urllib.error import HTTPError

        why = ""
        for attempt in range(_ATTEMPTS):
            if attempt:
                sleep(attempt * _PAUSE)
                out.seek(0)
                out.truncate()
            digest = hashlib.sha256()
            try:
                with self._open().open(url, timeout=_TIMEOUT) as answer:
                    declared = answer.headers.get("Content-Length", "")
                    while chunk := answer.read(_CHUNK):
                        if out.tell() + len(chunk) > most:
                            raise KezuriError.of(f"{url}: larger than the {most} bytes that it may have")
                        digest.update(chunk)
                        out.write(chunk)
                    if declared.isdigit() and out.tell() < int(declared):
                        why = f"the answer ended after {out.tell()} of {declared} bytes"
                        continue
                return digest.hexdigest()
            except HTTPError as error:
                with error:
                    why = f"the server answered {error.code} {error.reason}"
                    if error.code in (404, 410):
                        raise NotThere.of(f"cannot fetch {url}: {why}") from None
                    if error.code < 500 and error.code not in (408, 429):
                        break
            except (OSError, HTTPException, ValueError) as error:
                reason = getattr(error, "reason", error)
                why = str(reason) or type(reason).__name__
                if "CERTIFICATE_VERIFY_FAILED" in why:
                    raise Unreachable.of(
                        f"cannot fetch {url}: its certificate is not trusted: {why}",
                        hint="where the network has its own certificate authority, name its PEM file"
                        " with the ca-certificates setting",
                    ) from None
        raise Unreachable.of(
            f"cannot fetch {url}: {why}",
            hint="is there a Debian mirror that this machine reaches? Name it with KEZURI_DEBIAN_MIRROR",
        )

    def _open(self) -> "OpenerDirector":
        if self._opener is None:
            import ssl
            from urllib.request import HTTPSHandler, build_opener

            context = ssl.create_default_context()
            if self._ca:
                try:
                    context.load_verify_locations(self._ca)
                except (OSError, ssl.SSLError) as error:
                    raise KezuriError.of(
                        f"cannot read the certificates in {self._ca}: {error}",
                        hint="it must be a PEM file",
                        exit_code=2,
                    ) from None
            self._opener = build_opener(HTTPSHandler(context=context), _redirects())
            self._opener.addheaders = [("User-Agent", "kezuri")]
        return self._opener


def _redirects() -> Any:
    from urllib.error import URLError
    from urllib.request import HTTPRedirectHandler

    class Redirects(HTTPRedirectHandler):
        """Follows redirects, but never from HTTPS to anything weaker."""

        def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
            if req.full_url.startswith("https:") and not newurl.startswith("https:"):
                raise URLError(f"it redirects from HTTPS to {newurl}")
            return super().redirect_request(req, fp, code, msg, headers, newurl)

    return Redirects()
