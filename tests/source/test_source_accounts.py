"""Names and numbers in --chown and USER."""

import pytest
from tests.source.source_trees import DictView

from kezuri.diagnostics import KezuriError
from kezuri.dockerfile.chown import needs_accounts
from kezuri.tree.accounts import chown_ids, home, user_ids

PASSWD = b"""root:x:0:0:root:/root:/bin/sh
# comment:x:9:9::/:
node:x:1000:1001:Node:/home/node:/bin/sh

broken line
app:x:1234:50::/srv/app:/bin/sh
"""
GROUP = b"root:x:0:\nwheel:x:10:root,node\nnode:x:1001:\naudio:x:29:app, node\ndocker:x:999:app\n"
IMAGE = DictView(files={"etc/passwd": PASSWD, "etc/group": GROUP})
EMPTY = DictView()


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("1000", (1000, 1000)),
        ("55", (55, 55)),
        ("55:66", (55, 66)),
        ("node", (1000, 1001)),
        ("node:", (1000, 1001)),
        ("55:", (55, 55)),
        (":5", (0, 5)),
        ("node:audio", (1000, 29)),
        ("node:0", (1000, 0)),
        ("7:wheel", (7, 10)),
        ("root", (0, 0)),
        ("app:root", (1234, 0)),
    ],
)
def test_chown(spec: str, expected: tuple[int, int]) -> None:
    assert chown_ids(spec, IMAGE) == expected


@pytest.mark.parametrize(
    ("spec", "expected"), [("0", (0, 0)), ("root:root", (0, 0)), ("12:13", (12, 13)), (":", (0, 0)), ("7:", (7, 7))]
)
def test_chown_by_number_needs_no_file(spec: str, expected: tuple[int, int]) -> None:
    assert chown_ids(spec, EMPTY) == expected
    assert not needs_accounts(spec)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("nod", ['unknown user "nod"', "/etc/passwd"]),
        ("node:dock", ['unknown group "dock"', "/etc/group"]),
        ("-1", ['unknown user "-1"']),
        ("node:node:x", ['unknown group "node:x"']),
    ],
)
def test_chown_unknown(spec: str, words: list[str]) -> None:
    with pytest.raises(KezuriError) as error:
        chown_ids(spec, IMAGE)
    for word in words:
        assert word in str(error.value)


def test_unknown_names_suggest_the_near_one() -> None:
    with pytest.raises(KezuriError) as error:
        chown_ids("noed", IMAGE)
    assert error.value.diagnostics[0].hint == 'Did you mean "node"?'
    with pytest.raises(KezuriError, match="no readable /etc/passwd"):
        chown_ids("node", EMPTY)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("", (0, 0, (0, 10))),
        ("root", (0, 0, (0, 10))),
        ("0", (0, 0, (0, 10))),
        ("1000", (1000, 1001, (1001, 10, 29))),
        ("node", (1000, 1001, (1001, 10, 29))),
        ("77", (77, 0, (0,))),
        ("77:88", (77, 88, (88,))),
        ("1000:1000", (1000, 1000, (1000,))),
        ("node:docker", (1000, 999, (999,))),
        ("node:4000", (1000, 4000, (4000,))),
        ("app", (1234, 50, (50, 29, 999))),
        ("77:audio", (77, 29, (29,))),
    ],
)
def test_user(spec: str, expected: tuple[int, int, tuple[int, ...]]) -> None:
    assert user_ids(spec, IMAGE) == expected


def test_user_differs_from_chown() -> None:
    assert chown_ids("77", IMAGE) == (77, 77)
    assert user_ids("77", IMAGE)[:2] == (77, 0)


def test_user_without_files() -> None:
    assert user_ids("", EMPTY) == (0, 0, (0,))
    assert user_ids("5:6", EMPTY) == (5, 6, (6,))
    assert user_ids("5", EMPTY) == (5, 0, (0,))
    with pytest.raises(KezuriError, match='USER web: unknown user "web"'):
        user_ids("web", EMPTY)
    with pytest.raises(KezuriError, match='unknown group "web"'):
        user_ids("5:web", IMAGE)


def test_home() -> None:
    assert home(1000, IMAGE) == "/home/node"
    assert home(0, IMAGE) == "/root"
    assert home(5, IMAGE) == "/"
    assert home(0, EMPTY) == "/"


@pytest.mark.parametrize("number", ["4294967295", "4294967296", "2147483648", "9" * 5000])
def test_ids_that_no_process_can_have_are_refused(number: str) -> None:
    """4294967295 is -1 for setresuid(2): the process would stay root."""
    view = DictView(files={"etc/passwd": f"x:x:{number}:0::/:\n".encode(), "etc/group": f"y:x:{number}:\n".encode()})
    for spec in ("x", "0:y", number, f"0:{number}"):
        with pytest.raises(KezuriError, match=r"(range 0-2147483647|unknown group)"):
            user_ids(spec, view)
    if int(number[:10]) > (1 << 32) - 2 or len(number) > 10:
        for spec in ("x", "0:y"):
            with pytest.raises(KezuriError, match="range 0-4294967294"):
                chown_ids(spec, view)
