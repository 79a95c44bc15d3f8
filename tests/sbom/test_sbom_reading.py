"""Documents read back: ours lose nothing, those of others give their packages, and what is no document is told."""

import json
from base64 import b64encode
from random import Random
from typing import Any

import pytest
from tests.sbom import bill_samples

from kezuri.diagnostics import KezuriError
from kezuri.sbom import cyclonedx, reading, spdx
from kezuri.sbom.values import Bill, Component
from kezuri.sbom.wording import clean, encoded, moment


def _read(document: dict[str, Any]) -> Bill:
    return reading.read(json.dumps(document).encode(), "bom.json")


def _as_written(component: Component) -> Component:
    """What a document keeps of a component: not each file, and no bytes that are no text."""
    package = component.package._replace(files=(), name=clean(component.package.name))
    return component._replace(package=package, evidence=tuple(map(clean, component.evidence)))


@pytest.mark.parametrize("writer", [cyclonedx.document, spdx.document], ids=["cyclonedx", "spdx"])
def test_ours_come_back(writer: Any) -> None:
    bill = bill_samples.image()
    read = reading.read(encoded(writer(bill)), "bom.json")
    assert set(read.components) == set(map(_as_written, bill.components))
    kept = bill._replace(components=read.components, created=moment(bill.created))
    assert read == kept
    assert encoded(writer(read)) == encoded(writer(kept))
    assert reading.read(encoded(writer(bill_samples.empty())), "bom.json") == bill_samples.empty()


_DIFF_ID = "sha256:" + "dd" * 32


def test_trivys_cyclonedx() -> None:
    """Its form of 2024: the source package in properties, lock files as applications, names with their group."""
    said = [("DiffID", "sha256:" + "cc" * 32), ("DiffID", _DIFF_ID), ("ImageID", "sha256:" + "ee" * 32)]
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "metadata": {
            "timestamp": "2024-05-28T10:20:03Z",
            "component": {"type": "container", "name": "app:1", "properties": _trivy(said)},
        },
        "components": [
            {"type": "operating-system", "name": "redhat", "version": "9.3"},
            {
                "type": "library",
                "name": "openssl-libs",
                "version": "1:3.0.7-24.el9",
                "purl": "pkg:rpm/redhat/openssl-libs@3.0.7-24.el9?arch=x86_64&distro=redhat-9.3&epoch=1",
                "licenses": [{"license": {"name": "ASL 2.0"}}],
                "properties": _trivy(
                    [
                        ("SrcName", "openssl"),
                        ("SrcVersion", "3.0.7"),
                        ("SrcRelease", "24.el9"),
                        ("SrcEpoch", "1"),
                        ("LayerDiffID", _DIFF_ID),
                    ]
                ),
            },
            {"type": "application", "name": "app/composer.lock", "properties": _trivy([("Type", "composer")])},
            {
                "type": "library",
                "group": "github.com",
                "name": "Azure/go-autorest",
                "version": "v1.0.0",
                "purl": "pkg:golang/github.com/azure/go-autorest@v1.0.0",
                "properties": _trivy([("FilePath", "usr/bin/server")]),
            },
        ],
    }
    bill = _read(document)
    assert (bill.name, bill.kind, bill.created) == ("app:1", "image", "")
    assert (bill.distribution.id, bill.distribution.version) == ("redhat", "9.3")
    module, openssl = bill.components
    assert (openssl.package.source, openssl.package.source_version) == ("openssl", "")
    assert openssl.package.version == "1:3.0.7-24.el9" and openssl.package.licence == "ASL 2.0"
    assert openssl.layer == 1 and bill.layers[1].diff_id == _DIFF_ID
    assert module.package.full_name == "github.com/Azure/go-autorest" and module.evidence == ("usr/bin/server",)
    assert bill.told == ()


def _trivy(pairs: list[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"name": f"aquasecurity:trivy:{name}", "value": value} for name, value in pairs]


def test_spdx_of_trivy_and_syft() -> None:
    document = {
        "spdxVersion": "SPDX-2.2",
        "name": "app",
        "packages": [
            {
                "SPDXID": "SPDXRef-ContainerImage-1",
                "name": "app:1",
                "attributionTexts": [f"DiffID: {_DIFF_ID}", "RepoTag: app:1"],
            },
            {"SPDXID": "SPDXRef-OperatingSystem-1", "name": "alpine", "versionInfo": "3.16.0"},
            {"SPDXID": "SPDXRef-Application-1", "name": "Node.js", "versionInfo": "node-pkg"},
            _spdx("musl-utils", "1.2.3-r0", "pkg:apk/alpine/musl-utils@1.2.3-r0?distro=3.16.0")
            | {"sourceInfo": "built package from: musl 1.2.3-r0", "attributionTexts": [f"LayerDiffID: {_DIFF_ID}"]},
            _spdx("zlib", "1-r0", "pkg:apk/alpine/zlib@1-r0?upstream=zlib-ng%401-r1")
            | {"sourceInfo": "acquired package info from APK DB: /lib/apk/db/installed"},
        ],
        "relationships": [
            {
                "spdxElementId": "SPDXRef-DOCUMENT",
                "relationshipType": "DESCRIBE",
                "relatedSpdxElement": "SPDXRef-ContainerImage-1",
            }
        ],
    }
    bill = _read(document)
    assert (bill.name, bill.kind, bill.distribution.id, bill.distribution.version) == (
        "app:1",
        "image",
        "alpine",
        "3.16.0",
    )
    musl, zlib = bill.components
    assert (musl.package.source, musl.layer) == ("musl", 0)
    assert (zlib.package.source, zlib.package.source_version) == ("zlib-ng", "1-r1")
    assert zlib.evidence == ("lib/apk/db/installed",)


def _spdx(name: str, version: str, purl: str) -> dict[str, Any]:
    reference = {"referenceCategory": "PACKAGE_MANAGER", "referenceType": "purl", "referenceLocator": purl}
    return {"SPDXID": f"SPDXRef-Package-{name}", "name": name, "versionInfo": version, "externalRefs": [reference]}


def test_without_a_system_the_packages_say_which_it_is() -> None:
    component = {"type": "library", "name": "a", "purl": "pkg:deb/debian/a@1?distro=debian-12.5"}
    bill = _read({"bomFormat": "CycloneDX", "components": [component]})
    assert (bill.distribution.id, bill.distribution.version) == ("debian", "12.5")


def test_nothing_is_dropped_silently() -> None:
    components = [
        {"type": "library", "name": "left-pad", "version": "1"},
        {"type": "library", "name": "odd", "purl": "not a purl"},
        {"type": "library"},
        7,
        {"type": "library", "name": "outer", "purl": "pkg:npm/outer@1", "components": [{"purl": "pkg:npm/inner@2"}]},
    ]
    bill = _read({"bomFormat": "CycloneDX", "components": components})
    assert [each.package.name for each in bill.components] == ["left-pad", "odd", "inner", "outer"]
    assert bill.told == (
        "2 components have no package URL: nothing is known about them by name alone",
        "2 components have neither a name nor a package URL, and are left out",
    )


@pytest.mark.parametrize("field", ["metadata", "components", "packages", "relationships", "creationInfo"])
@pytest.mark.parametrize("value", [None, 7, "x", [], {}, [None, [[]], {"purl": 7, "name": {}}], {"component": 1}])
def test_wrong_types_break_nothing(field: str, value: object) -> None:
    for head in ({"bomFormat": "CycloneDX"}, {"spdxVersion": "SPDX-2.3"}):
        assert isinstance(_read({**head, field: value}), Bill)


def test_a_document_within_others() -> None:
    document = cyclonedx.document(bill_samples.image())
    statement = {"_type": "https://in-toto.io/Statement/v1", "predicate": document}
    envelope = {
        "payloadType": "application/vnd.in-toto+json",
        "payload": b64encode(json.dumps(statement).encode()).decode(),
    }
    of_cosign = {"predicate": {"Data": json.dumps(document), "Timestamp": ""}}
    alone = _read(document)
    for each in (statement, envelope, of_cosign, {"sbom": spdx.document(bill_samples.image())}):
        assert _read(each).components == alone.components


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "not a JSON document"),
        (b"\xff\xfe", "not a JSON document"),
        (b'{"bomFormat": NaN}', "NaN is no number"),
        (b"[" * 200_000, "nested too deep"),
        (b'{"a":' * 200_000, "nested too deep"),
        (b'{"a": ' + b"1" * 10_000 + b"}", "not a JSON document"),
        (b"[]", "not an object"),
        (b'{"components":[' + b"[]," * 1_500_001 + b"[]]}", "more than 3000000 values"),
        (b"{}", "neither a CycloneDX nor an SPDX"),
        (b'{"predicate": {"predicate": {"predicate": {"predicate": {"predicate": {}}}}}}', "neither a CycloneDX"),
        (b'{"payloadType": "x", "payload": "%%%"}', "no base64"),
        (b'<?xml version="1.0"?><bom/>', "XML"),
        (b"SPDXVersion: SPDX-2.3", "tag-value"),
        (b'{"@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld"}', "SPDX 3"),
        (b'{"artifacts": [], "descriptor": {}}', "Syft's own form"),
    ],
)
def test_what_is_no_document_is_told(data: bytes, told: str) -> None:
    with pytest.raises(KezuriError, match=r"^bom\.json: .*" + told):
        reading.read(data, "bom.json")


_ODD: tuple[Any, ...] = (
    *(None, 0, -1, 1e308, True, [], {}, [[]], [None], {"a": {}}),
    *("", "x" * 300, "\ud800", "\x00\x1b[31m", "sha256:", "@", "/", "a/", "999999999999", "-5"),
    *("pkg:deb/%ff%00@%ff", "pkg:deb/debian/x@1?distro=-1&upstream=@"),
)


def _mutated(value: Any, chance: Random, part: float) -> Any:
    if chance.random() < part:
        return chance.choice(_ODD)
    if isinstance(value, dict):
        return {key: _mutated(each, chance, part) for key, each in value.items() if chance.random() > part / 2}
    return [_mutated(each, chance, part) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize("writer", [cyclonedx.document, spdx.document], ids=["cyclonedx", "spdx"])
def test_whatever_is_read_can_be_written_and_read_again(writer: Any) -> None:
    chance = Random(7)
    document = json.loads(encoded(writer(bill_samples.image())))
    # What a mutation must not take away, lest nothing of the document is looked at.
    head = {key: document[key] for key in ("bomFormat", "spdxVersion") if key in document}
    for number in range(24):
        mutated = _mutated(document, chance, (0.003, 0.02, 0.1)[number % 3])
        bill = _read({**(mutated if isinstance(mutated, dict) else {}), **head})
        for again in (cyclonedx.document, spdx.document):
            written = encoded(again(bill))
            assert encoded(again(reading.read(written, "x"))) == written
