"""Base images that are kept between runs of the tests are those of the code that is tested."""

from pathlib import Path

from tests.integration.integration_bases import made_of


def test_other_code_has_other_bases(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    (tmp_path / "b.py").write_text("y = 1\n")
    first = made_of(tmp_path)
    assert made_of(tmp_path) == first
    (tmp_path / "note.txt").write_text("is no code")
    assert made_of(tmp_path) == first
    (tmp_path / "b.py").write_text("y = 2\n")
    second = made_of(tmp_path)
    (tmp_path / "b.py").rename(tmp_path / "c.py")
    assert len({first, second, made_of(tmp_path)}) == 3
