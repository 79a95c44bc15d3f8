"""A Debian mirror: from the signed Release file to the index to a package, each verified by what comes before it."""

import hashlib
import os
from collections.abc import Callable, Iterable
from typing import NamedTuple

from kezuri.bases.deb import Deb, Package
from kezuri.bases.download import Downloads, NotThere, Unreachable
from kezuri.diagnostics import KezuriError
from kezuri.layer.decompression import decompress
from kezuri.linux.replacement import replacement
from kezuri.registry.wire import Transport

DEFAULT = "https://deb.debian.org/debian"
VARIABLE = "KEZURI_DEBIAN_MIRROR"
"""The environment variable that names another mirror."""

_KEYRINGS = (
    "/usr/share/keyrings/debian-archive-keyring.gpg",
    "/usr/share/keyrings/debian-archive-keyring.pgp",
)
_ADVICE = f"is there a Debian mirror that this machine reaches? Name it with {VARIABLE}"
_LARGEST_RELEASE = 4 << 20
_LARGEST_INDEX = 64 << 20
_CHUNK = 1 << 20
_WORKERS = 4


class _Listed(NamedTuple):
    """A file that a Release file lists."""

    sha256: str
    size: int


class Mirror:
    """One mirror, `url` as in an apt source (`https://deb.debian.org/debian`).

    Every file is checked against the SHA-256 in the index, the index against the Release file, and the Release file
    by its signature where gpgv and the Debian archive keyring are installed. Otherwise authenticity rests on HTTPS;
    over plain HTTP that is refused unless `allow_unsigned`. `notes` collects sentences that say which it was.
    """

    def __init__(
        self,
        url: str,
        directory: str,
        transport: Transport,
        *,
        allow_unsigned: bool = False,
        keyrings: Iterable[str] = _KEYRINGS,
        report: Callable[[str], None],
    ) -> None:
        self.url = _checked(url)
        self.host = self.url.split("/")[2]
        self.notes: list[str] = []
        self._directory = directory
        self._downloads = Downloads(directory, transport, _ADVICE)
        self._allow_unsigned = allow_unsigned
        self._keyrings = tuple(keyrings)
        self._report = report

    def packages(self, suite: str, architecture: str, names: Iterable[str]) -> dict[str, Package]:
        """The packages of these names in the suite's `main`; KezuriError naming the ones that it lacks."""
        wanted = set(names)
        listed = self._release(suite)
        path = f"main/binary-{architecture}/Packages.xz"
        if path not in listed:
            raise KezuriError.of(f"Debian {suite} at {self.url} has no packages for {architecture}")
        index = self._index(suite, path, listed[path])
        found = _search(index, wanted)
        missing = sorted(wanted - set(found))
        if missing:
            raise KezuriError.of(
                f"Debian {suite} at {self.url} has no package {', '.join(missing)} for {architecture}",
                hint=f"name a complete mirror with {VARIABLE}",
            )
        return found

    def fetch(self, packages: Iterable[Package]) -> dict[str, Deb]:
        """The package files, by package name."""
        from concurrent.futures import ThreadPoolExecutor

        def one(package: Package) -> tuple[str, Deb]:
            url = f"{self.url}/{_quoted(package.filename)}"
            try:
                path = self._downloads.file(url, package.sha256, package.size)
            except NotThere as error:
                raise Unreachable.of(
                    error.diagnostics[0].message, hint="the mirror has just changed, or is incomplete: try again"
                ) from None
            return package.name, Deb(package, path)

        with ThreadPoolExecutor(_WORKERS) as pool:
            return dict(pool.map(one, packages))

    def _release(self, suite: str) -> dict[str, _Listed]:
        url = f"{self.url}/dists/{suite}/InRelease"
        kept = os.path.join(self._directory, f"{hashlib.sha256(url.encode()).hexdigest()[:16]}-{suite}.InRelease")
        old = False
        try:
            raw = self._downloads.text(url, _LARGEST_RELEASE)
        except Unreachable as error:
            try:
                with open(kept, "rb") as file:
                    raw, old = file.read(), True
            except FileNotFoundError:
                raise error from None
        text = self._authentic(raw, url)
        fields, listed = _parse_release(text)
        if suite not in (fields.get("Suite"), fields.get("Codename")):
            raise KezuriError.of(f"{url}: this is the Release file of {fields.get('Codename') or 'nothing'}")
        if old:
            self.notes.append(f"{self.host} did not answer: the package index of {fields.get('Date')} was used")
        else:
            with replacement(kept) as file:
                file.write(raw)
        return listed

    def _authentic(self, raw: bytes, url: str) -> str:
        """The text that the signature covers; KezuriError when the signature is wrong or may not be missing."""
        begin = b"-----BEGIN PGP SIGNED MESSAGE-----"
        if not raw.startswith(begin):
            raise KezuriError.of(f"{url}: not a signed Release file", hint="is this the address of a Debian mirror?")
        keyring = next((k for k in self._keyrings if os.path.exists(k)), "")
        text, why = _verified(raw, keyring, url)
        if text is not None:
            self.notes.append(f"the Debian archive's signature was verified with gpgv and {keyring}")
            return text
        if self.url.startswith("https://"):
            self.notes.append(
                f"the Debian archive's signature was not verified ({why}): that the packages are Debian's rests on"
                f" HTTPS to {self.host}"
            )
        elif self._allow_unsigned:
            self.notes.append(f"nothing proves that the packages from {self.url} are Debian's: plain HTTP, and {why}")
        else:
            raise KezuriError.of(
                f"{self.url} is plain HTTP, and the Debian archive's signature cannot be verified: {why}",
                hint="install gpgv and debian-archive-keyring, use an https:// mirror, or allow unsigned packages",
            )
        body = raw.partition(b"\n\n")[2].partition(b"\n-----BEGIN PGP SIGNATURE-----")[0]
        lines = body.decode("utf-8", "surrogateescape").split("\n")
        return "\n".join(line.removeprefix("- ") for line in lines)

    def _index(self, suite: str, path: str, listed: _Listed) -> str:
        if listed.size > _LARGEST_INDEX:
            raise KezuriError.of(f"{self.url}: {path} of {suite} claims {listed.size} bytes")
        base = f"{self.url}/dists/{suite}"
        folder = path.rpartition("/")[0]
        try:
            # By its digest the index cannot change between the reading of Release and this moment.
            return self._downloads.file(f"{base}/{folder}/by-hash/SHA256/{listed.sha256}", listed.sha256, listed.size)
        except NotThere:
            return self._downloads.file(f"{base}/{path}", listed.sha256, listed.size)


def _checked(url: str) -> str:
    scheme, _, rest = url.partition("://")
    host = rest.split("/")[0]
    if scheme not in ("http", "https") or not host or "@" in host or any(c.isspace() for c in url):
        raise KezuriError.of(
            f"not a Debian mirror: {url!r}",
            hint=f"write an address such as {DEFAULT}, without credentials",
            exit_code=2,
        )
    return url.rstrip("/")


def _quoted(filename: str) -> str:
    from urllib.parse import quote

    parts = filename.split("/")
    if filename.startswith("/") or any(p in ("", ".", "..") for p in parts):
        raise KezuriError.of(f"the package index names a file outside the mirror: {filename!r}")
    return quote(filename, safe="/~+:_-.")


def _verified(raw: bytes, keyring: str, url: str) -> tuple[str | None, str]:
    """The signed text if a key of the keyring has signed it; otherwise None and why nothing can be said."""
    from shutil import which

    program = which("gpgv")
    if program is None:
        return None, "gpgv is not installed"
    if not keyring:
        return None, "the Debian archive keyring is not installed"
    from subprocess import DEVNULL, run
    from tempfile import TemporaryDirectory

    with TemporaryDirectory(prefix="kezuri-gpgv-") as home:
        out = os.path.join(home, "Release")
        signed = os.path.join(home, "InRelease")
        with open(signed, "wb") as file:
            file.write(raw)
        done = run(
            [program, "--homedir", home, "--status-fd", "1", "--keyring", keyring, "--output", out, signed],
            stdin=DEVNULL,
            capture_output=True,
            check=False,
            timeout=60,
            env={**os.environ, "LC_ALL": "C"},
        )
        states = {
            line.split()[1]
            for line in done.stdout.decode("utf-8", "replace").splitlines()
            if line.startswith("[GNUPG:] ") and len(line.split()) > 1
        }
        # A Release file bears several signatures, of the outgoing and the coming release's keys. One good one is
        # enough, as it is for apt; a bad one means that the text was changed.
        if "BADSIG" in states:
            raise KezuriError.of(
                f"{url}: BAD SIGNATURE: this is not what Debian has published",
                hint="try another mirror; if it persists, somebody changes what you download",
            )
        if "VALIDSIG" in states and "GOODSIG" in states:
            with open(out, encoding="utf-8", errors="surrogateescape") as file:
                return file.read(), ""
    if "NO_PUBKEY" in states:
        return None, f"{keyring} does not know the signing key"
    return None, "gpgv found no valid signature: " + done.stderr.decode("utf-8", "replace").strip()[-200:]


def _parse_release(text: str) -> tuple[dict[str, str], dict[str, _Listed]]:
    fields: dict[str, str] = {}
    listed: dict[str, _Listed] = {}
    section = ""
    for line in text.splitlines():
        if line.startswith(" "):
            parts = line.split()
            if section == "SHA256" and len(parts) == 3 and parts[1].isdigit() and len(parts[0]) == 64:
                listed[parts[2]] = _Listed(parts[0].lower(), int(parts[1]))
        else:
            section, _, value = line.partition(":")
            fields[section] = value.strip()
    return fields, listed


def _search(index: str, wanted: set[str]) -> dict[str, Package]:
    """The stanzas of the wanted packages in a Packages.xz; the whole text is never in memory."""
    found: dict[str, Package] = {}
    rest = b""
    with open(index, "rb") as file:
        plain = decompress(file, "the package index")
        while len(found) < len(wanted):
            chunk = plain.read(_CHUNK)
            stanzas = (rest + (chunk or b"\n\n")).split(b"\n\n")
            rest = stanzas.pop()
            for stanza in stanzas:
                head, _, tail = stanza.lstrip(b"\n").partition(b"\n")
                name = head.removeprefix(b"Package: ").decode("ascii", "replace")
                if name in wanted and name not in found:
                    found[name] = _package(name, tail)
            if not chunk:
                break
    return found


def _package(name: str, stanza: bytes) -> Package:
    fields: dict[str, str] = {}
    for line in stanza.decode("utf-8", "replace").split("\n"):
        key, colon, value = line.partition(": ")
        if colon and not line.startswith(" "):
            fields.setdefault(key, value.strip())
    size, sha256 = fields.get("Size", ""), fields.get("SHA256", "").lower()
    if not size.isdigit() or len(sha256) != 64 or not fields.get("Filename"):
        raise KezuriError.of(f"the package index's entry for {name} lacks Size, SHA256 or Filename")
    return Package(
        name, fields.get("Version", ""), fields.get("Architecture", ""), fields["Filename"], int(size), sha256
    )
