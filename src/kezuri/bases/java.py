"""The layers that turn Debian's stand-in into Java's: Debian's OpenJDK and Maven, where official images have them."""

import struct
from base64 import b64decode
from collections.abc import Iterable, Mapping
from hashlib import sha1

from kezuri.bases.deb import Deb
from kezuri.bases.debian import ESSENTIAL, more
from kezuri.bases.layer_writer import MTIME, LayerWriter
from kezuri.bases.recipe import Layer
from kezuri.oci import Platform

VERSION = "21"
OFFERED = "17"
"""The version under whose name it stands in, too: Debian 13 does not have it."""

HOME = "opt/java/openjdk"


def libraries(platform: Platform) -> tuple[str, ...]:
    """Where Java's own libraries lie, which the programs find by themselves."""
    home = f"usr/lib/jvm/java-{VERSION}-openjdk-{platform.architecture}/lib"
    return home, f"{home}/server"


_RUNTIME = (
    "ca-certificates",
    "ca-certificates-java",
    "java-common",
    "libasound2-data",
    "libasound2t64",
    "libatomic1",
    "libbrotli1",
    "libffi8",
    "libfreetype6",
    "libglib2.0-0t64",
    "libgraphite2-3",
    "libharfbuzz0b",
    "libjpeg62-turbo",
    "liblcms2-2",
    "libnspr4",
    "libnss3",
    "libpcsclite1",
    "libpng16-16t64",
    f"openjdk-{VERSION}-jre-headless",
    "openssl",
)
_NAMES = (
    "libaopalliance-java libapache-pom-java libatinject-jsr330-api-java libcdi-api-java libcommons-cli-java"
    " libcommons-codec-java libcommons-io-java libcommons-lang3-java libcommons-logging-java libcommons-parent-java"
    " liberror-prone-java libgeronimo-annotation-1.3-spec-java libgeronimo-interceptor-3.0-spec-java libguava-java"
    " libguice-java libhttpclient-java libhttpcore-java libjansi-java libjsoup-java libjsr305-java libmaven-parent-java"
    " libmaven-resolver-java libmaven-shared-utils-java libmaven3-core-java libplexus-cipher-java"
    " libplexus-classworlds-java libplexus-component-annotations-java libplexus-interpolation-java"
    " libplexus-sec-dispatcher-java libplexus-utils2-java libplexus-xml-java libsisu-inject-java libsisu-plexus-java"
    " libslf4j-java libwagon-file-java libwagon-http-java libwagon-provider-api-java maven"
)
_TOOLS = (f"openjdk-{VERSION}-jdk-headless", *_NAMES.split())
_CERTIFICATES = "usr/share/ca-certificates/"
_PASSWORD = "changeit"
"""What everybody's keystore of authorities is closed with: it keeps nothing secret, and says that it is whole."""


def _runtime(layer: LayerWriter, debs: Mapping[str, Deb], platform: Platform) -> None:
    more(layer, debs, _RUNTIME)
    layer.symlink(HOME, f"/usr/lib/jvm/java-{VERSION}-openjdk-{platform.architecture}")
    layer.symlink("usr/bin/java", f"/{HOME}/bin/java")
    authorities = sorted(
        (entry.path.rpartition("/")[2], content.read())
        for entry, content in debs["ca-certificates"].members()
        if content is not None and entry.path.startswith(_CERTIFICATES) and entry.path.endswith(".crt")
    )
    layer.file("etc/ssl/certs/java/cacerts", keystore((name.lower(), _der(pem)) for name, pem in authorities))


def _maven(layer: LayerWriter, debs: Mapping[str, Deb], platform: Platform) -> None:
    more(layer, debs, _TOOLS, below=(*ESSENTIAL, *_RUNTIME))
    for name in ("mvn", "mvnDebug"):
        layer.symlink(f"usr/bin/{name}", f"../share/maven/bin/{name}")


def _der(pem: bytes) -> bytes:
    begin, end = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"
    return b64decode(pem.partition(begin)[2].partition(end)[0])


def keystore(certificates: Iterable[tuple[str, bytes]]) -> bytes:
    """A Java keystore (JKS, version 2) of trusted certificates: alias in lower case, and DER."""
    entries = list(certificates)
    body = struct.pack(">III", 0xFEEDFEED, 2, len(entries))
    for alias, der in entries:
        body += struct.pack(">I", 2) + _text(alias) + struct.pack(">Q", MTIME * 1000)
        body += _text("X.509") + struct.pack(">I", len(der)) + der
    return body + sha1(_PASSWORD.encode("utf-16-be") + b"Mighty Aphrodite" + body, usedforsecurity=False).digest()


def _text(text: str) -> bytes:
    # Java's own UTF-8 differs beyond the first plane and for NUL only, and file names of authorities have neither.
    raw = text.encode()
    return struct.pack(">H", len(raw)) + raw


RUNTIME = Layer(f"java-{VERSION}", _RUNTIME, _runtime)
MAVEN = Layer("maven", _TOOLS, _maven)
