"""--chmod: octal and symbolic."""

import pytest

from kezuri.diagnostics import KezuriError
from kezuri.dockerfile.chmod import parse_chmod


@pytest.mark.parametrize(
    ("text", "mode", "directory", "expected"),
    [
        ("755", 0o644, False, 0o755),
        ("0", 0o644, False, 0),
        ("4755", 0o644, False, 0o4755),
        ("07777", 0o644, True, 0o7777),
        ("u=rwX,go=rX", 0o600, False, 0o644),
        ("u=rwX,go=rX", 0o700, False, 0o755),
        ("u=rwX,go=rX", 0o600, True, 0o755),
        ("g=u", 0o750, False, 0o770),
        ("g=u", 0o2750, False, 0o2770),
        ("+x", 0o644, False, 0o755),
        ("+w", 0o444, False, 0o666),
        ("a-w", 0o666, False, 0o444),
        ("go=", 0o777, False, 0o700),
        ("=", 0o6777, False, 0),
        ("u+s", 0o755, False, 0o4755),
        ("u=", 0o4755, False, 0o055),
        ("+t", 0o755, True, 0o1755),
        ("o+s", 0o755, False, 0o755),
        ("u+r-w", 0o200, False, 0o400),
        ("go=u-w", 0o700, False, 0o755),
        ("+X", 0o644, False, 0o644),
        ("+X", 0o654, False, 0o755),
        ("-x,+X", 0o755, False, 0o755),
        ("g=ur", 0o730, False, 0o740),
        ("o-g", 0o757, False, 0o752),
        ("a=rx,u+w", 0, False, 0o755),
    ],
)
def test_apply(text: str, mode: int, directory: bool, expected: int) -> None:
    assert oct(parse_chmod(text).apply(mode, directory)) == oct(expected)


@pytest.mark.parametrize("text", ["64a", "8", "778", "10000", "0o755", "7_7", "99999999999999999999"])
def test_bad_numbers_give_the_known_text(text: str) -> None:
    with pytest.raises(KezuriError) as error:
        parse_chmod(text)
    assert str(error.value) == f"invalid chmod parameter: '{text}'. it should be octal string and between 0 and 07777"


@pytest.mark.parametrize("text", ["u", "x", "u=q", "u=rw,", "", ",", "u=7", "q+x", "+x u+w", "rwx"])
def test_bad_symbols(text: str) -> None:
    with pytest.raises(KezuriError, match="invalid chmod parameter: '"):
        parse_chmod(text)


def test_created_directories() -> None:
    assert parse_chmod("4711").created == 0o711
    assert parse_chmod("u=rwx,go=").created == 0o755
