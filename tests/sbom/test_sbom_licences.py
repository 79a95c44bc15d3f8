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
        ("GPLv2+", ""),
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


def test_the_list_is_whole() -> None:
    known = licences.known()
    assert len(known.licences) == 727 and len(known.exceptions) == 84
    assert "llvm-exception" in known.exceptions and "gpl-cc-1.0" in known.exceptions
    assert licences.is_one("MIT") and not licences.is_one("MIT OR ISC")
    assert licences.identifiers("(MIT OR GPL-2.0-only WITH Classpath-exception-2.0) AND MIT") == ("MIT", "GPL-2.0-only")
