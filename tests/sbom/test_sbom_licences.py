"""Words of records held against SPDX's list."""

import pytest

from kezuri.sbom import licences


@pytest.mark.parametrize(
    ("words", "expression"),
    [
        ("MIT", "MIT"),
        ("mit", "MIT"),
        ("apache-2.0 or mit", "Apache-2.0 OR MIT"),
        ("GPL-2.0+", "GPL-2.0+"),
        ("EPL-1.0+", "EPL-1.0+"),
        ("( MIT AND (BSD-3-Clause OR ISC) )", "(MIT AND (BSD-3-Clause OR ISC))"),
        ("GPL-2.0-or-later WITH GCC-exception-3.1", "GPL-2.0-or-later WITH GCC-exception-3.1"),
        ("LicenseRef-x AND MIT", "LicenseRef-x AND MIT"),
        ("MIT GPL2+", ""),
        ("GPLv2+", "GPL-2.0-or-later"),
        ("GPL-2", "GPL-2.0-only"),
        ("LGPL-2+ and Expat", "LGPL-2.0-or-later AND MIT"),
        ("gfdl-1.3", "GFDL-1.3"),
        ("GPL-9", ""),
        ("GPL", ""),
        ("MIT WITH MIT", ""),
        ("GCC-exception-3.1", ""),
        ("(MIT", ""),
        ("MIT)", ""),
        ("()", ""),
        ("AND", ""),
        ("MIT AND", ""),
        ("(MIT) WITH GCC-exception-3.1", ""),
        ("MIT/Apache-2.0", ""),
        ("see LICENSE", ""),
        ("", ""),
        ("MIT AND " * 1000 + "MIT", ""),
        ("(" * 1900, ""),
    ],
)
def test_expressions(words: str, expression: str) -> None:
    assert licences.expression(words) == expression


def test_names_of_nobodys_list_become_the_documents_own() -> None:
    assert licences.referenced("GPL-2+ AND public-domain") == (
        "GPL-2.0-or-later AND LicenseRef-public-domain",
        (("LicenseRef-public-domain", "public-domain"),),
    )
    assert licences.referenced("BSD+ AND MIT")[0] == "LicenseRef-BSD-or-later AND MIT"
    assert licences.referenced("MIT") == ("MIT", ())
    assert licences.referenced("see LICENSE") == ("", ())
    assert licences.referenced("x WITH GCC-exception-3.1") == ("", ())


def test_the_list_is_whole() -> None:
    known = licences.known()
    assert len(known.licences) == 727 and len(known.exceptions) == 84
    assert "llvm-exception" in known.exceptions and "gpl-cc-1.0" in known.exceptions
    assert licences.is_one("MIT") and not licences.is_one("MIT OR ISC")
    assert licences.identifiers("(MIT OR GPL-2.0-only WITH Classpath-exception-2.0) AND MIT") == ("MIT", "GPL-2.0-only")
