"""Documents of CycloneDX and SPDX as the published schemas, and the libraries of those who keep them, want them."""

import json
from typing import Any

import pytest
from tests.sbom import bill_samples

from kezuri.sbom import cyclonedx, spdx, wording
from kezuri.sbom.values import Bill

BILLS = pytest.mark.parametrize("bill", [bill_samples.image(), bill_samples.empty()], ids=["image", "empty"])


def _cyclonedx_faults(document: dict[str, Any]) -> object:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    version = {"1.6": SchemaVersion.V1_6, "1.7": SchemaVersion.V1_7}[document["specVersion"]]
    return JsonStrictValidator(version).validate_str(wording.encoded(document).decode())


@pytest.mark.slow
@BILLS
@pytest.mark.parametrize("version", cyclonedx.VERSIONS)
def test_cyclonedx_is_valid(bill: Bill, version: cyclonedx.Version) -> None:
    document = cyclonedx.document(bill, version, with_files=True)
    assert _cyclonedx_faults(document) is None
    document["components"].append({"type": "library"})  # The validator does see what is wrong.
    assert _cyclonedx_faults(document) is not None


@pytest.mark.slow
@BILLS
def test_spdx_is_valid(bill: Bill) -> None:
    from spdx_tools.spdx.parser.jsonlikedict.json_like_dict_parser import JsonLikeDictParser
    from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

    document = spdx.document(bill)
    read = JsonLikeDictParser().parse(  # type: ignore[no-untyped-call]
        json.loads(wording.encoded(document))
    )
    assert validate_full_spdx_document(read) == []
    assert len(read.packages) == len(bill.components) + (2 if bill.distribution.id else 1)


@BILLS
def test_the_same_bill_gives_the_same_bytes(bill: Bill) -> None:
    for made in (cyclonedx.document(bill), cyclonedx.document(bill, "1.7"), spdx.document(bill)):
        assert wording.encoded(made) == wording.encoded(made)
    one, other = cyclonedx.document(bill), cyclonedx.document(bill._replace(name="other"))
    assert one["serialNumber"] == cyclonedx.document(bill)["serialNumber"] != other["serialNumber"]
    two, another = spdx.document(bill), spdx.document(bill._replace(name="other"))
    assert two["documentNamespace"] == spdx.document(bill)["documentNamespace"] != another["documentNamespace"]


def test_the_time_is_the_images() -> None:
    bill = bill_samples.image()
    assert cyclonedx.document(bill)["metadata"]["timestamp"] == "2024-05-01T08:11:12Z"
    assert spdx.document(bill)["creationInfo"]["created"] == "2024-05-01T08:11:12Z"
    for wrong in ("", "yesterday", "2024-13-01T00:00:00Z", "0001-01-01T00:00:00+23:00", "9" * 9999):
        assert "timestamp" not in cyclonedx.document(bill._replace(created=wrong))["metadata"]
        assert spdx.document(bill._replace(created=wrong))["creationInfo"]["created"] == wording.BEGINNING


def test_each_component_says_where_it_came_from() -> None:
    document = cyclonedx.document(bill_samples.image(), with_files=True)
    by_name = {each["name"]: each for each in document["components"]}
    openssl = by_name["libssl3"]
    assert openssl["purl"] == ("pkg:deb/debian/libssl3@3.0.11-1~deb12u2?arch=amd64&distro=debian-12&upstream=openssl")
    assert openssl["evidence"]["occurrences"] == [
        {"location": "/var/lib/dpkg/status", "additionalContext": "record"},
        {"location": "/usr/lib/libssl.so.3", "additionalContext": "file"},
    ]
    assert openssl["licenses"] == [{"license": {"id": "Apache-2.0", "acknowledgement": "declared"}}]
    said = {each["name"]: each["value"] for each in by_name["core"]["properties"]}
    assert said["kezuri:layer"] == "1" and said["kezuri:layer:dockerfile"] == "app/Dockerfile:7"
    assert by_name["core"]["licenses"] == [{"expression": "(MIT OR Apache-2.0)", "acknowledgement": "declared"}]
    assert by_name["odd"]["licenses"][0]["license"]["name"] == "do what you like"
    assert by_name["docker-ce"]["purl"] == "pkg:deb/docker-ce@5:27.1-1?arch=amd64"  # Nobody's but its maker's.
    assert by_name["bash"]["purl"].endswith("bash@5.1-2?distro=debian-12&epoch=1&upstream=bash-5.1-2.src.rpm")
    assert by_name["node"]["evidence"]["occurrences"][0]["location"] == "env:NODE_VERSION"
    assert document["metadata"]["component"]["purl"] == (
        f"pkg:oci/app@{bill_samples.DIGEST}?arch=amd64&repository_url=docker.io%2Flibrary%2Fapp&tag=1"
    )


def test_words_of_a_record_become_licences_of_spdx_or_stay_words() -> None:
    document = spdx.document(bill_samples.image())
    declared = {each["name"]: each["licenseDeclared"] for each in document["packages"]}
    assert declared["@angular/core"] == "(MIT OR Apache-2.0)"
    assert declared["libgcc-s1"] == "NOASSERTION"
    told = {each["licenseId"]: each["extractedText"] for each in document["hasExtractedLicensingInfos"]}
    assert declared["bash"] == "GPL-3.0-or-later" and declared["tzdata"] == "LicenseRef-public-domain AND MIT"
    assert told["LicenseRef-public-domain"] == "public-domain" and told[declared["odd"]] == "do what you like"
