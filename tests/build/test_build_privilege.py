"""What a build needs of an ordinary user's subordinate ids it asks for in time, and what needs none does without.

Root gets the same files. `tests.users.users_run` runs these tests as an ordinary user; each build is made by a process
that has entered no namespace yet.
"""

import io
import os
import tarfile
import threading
import time
from pathlib import Path

import pytest
from tests.build.build_busybox import RUNS_STEPS, busybox_tar
from tests.build.build_workshop import Workshop, oci, write_layout
from tests.users.users_child import in_child

pytestmark = RUNS_STEPS

FILES = {"data": (33, 33), "data/a": (33, 44), "data/deep": (1000, 0), "data/deep/b": (55, 66)}
"""Owners of what the base has in a layer of its own."""


def owned(*names: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name in names:
            info = tarfile.TarInfo(name)
            info.uid, info.gid = FILES[name]
            if name in ("data", "data/deep"):
                info.type, info.mode = tarfile.DIRTYPE, 0o700
                tar.addfile(info)
            else:
                info.size, info.mode = len(name), 0o600
                tar.addfile(info, io.BytesIO(name.encode()))
    return out.getvalue()


class Shop(Workshop):
    """Builds on a base with files of others, each time in a process of its own."""

    def in_child(self, dockerfile: str, **more: object) -> dict[str, str]:
        """Build; the owners of what the layers above the base hold, as `uid:gid` by path, and under "ran" what ran, and
        under "entered" whether the process entered a user namespace."""

        def act() -> dict[str, str]:
            outside = os.readlink("/proc/self/ns/user")
            base = ("base", f"oci-layout://{self.directory / 'base'}")
            result = self.build(dockerfile, build_contexts=(base,), **more)
            entered = os.readlink("/proc/self/ns/user") != outside
            return {
                **{name: f"{m.uid}:{m.gid}" for name, m in self.members(result).items()},
                "ran": "; ".join(self.said.ran),
                "entered": str(entered),
            }

        found: dict[str, str] = in_child(act)
        return found


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = Shop(tmp_path)
    shop.write(f="f")
    write_layout(tmp_path / "base", [busybox_tar(), owned("data", "data/a"), owned("data/deep", "data/deep/b")])
    return shop


ORDINARY = os.geteuid() != 0

TAKEN = {
    "copied from an image": "FROM scratch\nCOPY --from=base /data /data\n",
    "copied from an image beside a step": "FROM base AS s\nRUN true\nFROM scratch\nCOPY --from=base /data /data\n",
    "copied from an image onto a stage that is built": (
        "FROM scratch AS a\nCOPY f /f\nFROM a\nCOPY f /g\nCOPY --from=base /data /data\n"
    ),
    "copied from a stage that is an image": "FROM base AS s\nFROM scratch\nCOPY --from=s /data /data\n",
    "copied from a stage that copies": "FROM base AS s\nCOPY f /f\nFROM scratch\nCOPY --from=s /data /data\n",
}


@pytest.mark.parametrize("how", TAKEN)
def test_files_of_others(shop: Shop, how: str) -> None:
    for _ in range(2):
        found = shop.in_child(TAKEN[how])
        expected = {name: f"{uid}:{gid}" for name, (uid, gid) in FILES.items()} | {"data": "0:0"}
        assert {name: found[name] for name in FILES} == expected
    assert found["ran"] == ""


def test_files_of_others_bound_into_a_step(shop: Shop) -> None:
    text = "FROM base\nRUN --mount=from=base,source=/data,target=/d stat -c '%u:%g %n' $(find /d | sort) > /seen\n"
    shop.in_child(text)

    def act() -> str:
        base = ("base", f"oci-layout://{shop.directory / 'base'}")
        seen = shop.files(shop.build(build_contexts=(base,)))["seen"]
        assert isinstance(seen, bytes) and shop.said.ran == []
        return seen.decode()

    result = in_child(act)
    assert result == "33:33 /d\n33:44 /d/a\n1000:0 /d/deep\n55:66 /d/deep/b\n"


def test_what_is_found_needs_no_namespace(shop: Shop) -> None:
    text = "FROM base\nRUN chown 7:7 /data/a\nCOPY --from=base /data /other\nCOPY f /f\n"
    assert shop.in_child(text)["entered"] == str(ORDINARY)
    again = shop.in_child(text)
    assert (again["ran"], again["entered"]) == ("", "False")


def test_copies_from_a_context_need_no_namespace(shop: Shop) -> None:
    found = shop.in_child("FROM base\nWORKDIR /w\nCOPY --chown=7:8 f /w/f\n")
    assert (found["w/f"], found["entered"]) == ("7:8", "False")
    assert found["ran"] == "COPY --chown=7:8 f /w/f; WORKDIR /w"


def test_copies_onto_what_steps_unpacked(shop: Shop) -> None:
    """Directories that another build made of the same layers are read with the owners that they mean."""
    shop.in_child("FROM base\nRUN true\n")
    found = shop.in_child("FROM base\nCOPY f /data/f\n")
    assert (found["data/f"], found["data"]) == ("0:0", "33:33")


def test_a_thread_of_somebody_else_that_ends_soon(shop: Shop) -> None:
    """As one that asks a name server which does not answer, and whose answer nobody waits for any more."""

    def act() -> list[str]:
        threading.Thread(target=time.sleep, args=(1,), daemon=True).start()
        base = ("base", f"oci-layout://{shop.directory / 'base'}")
        shop.build("FROM base\nRUN chown 9:9 /data/a\n", build_contexts=(base,))
        return shop.said.ran

    assert in_child(act) == ["RUN chown 9:9 /data/a"]


@pytest.mark.parametrize("kind", ["local", "tar"])
def test_files_of_a_build_without_steps_leave_as_files(shop: Shop, kind: str) -> None:
    """After the threads that copied without a namespace, whoever unpacks the base enters it."""
    out = shop.directory / "out"

    def act() -> str:
        base = ("base", f"oci-layout://{shop.directory / 'base'}")
        outputs = (f"type={kind},dest={out}", *oci(shop.directory / "image"))
        shop.build("FROM base\nCOPY f /data/f\n", build_contexts=(base,), outputs=outputs)
        if kind == "tar":
            with tarfile.open(out) as tar:
                return " ".join(f"{m.uid}:{m.gid}" for m in map(tar.getmember, ("data/a", "data/f")))
        # They belong to the caller, whose numbers are others where unpacking made the child root of a namespace.
        caller = (os.geteuid(), os.getegid())
        stats = [os.lstat(out / name) for name in ("data/a", "data/f")]
        return " ".join("the caller" if (s.st_uid, s.st_gid) == caller else f"{s.st_uid}:{s.st_gid}" for s in stats)

    assert in_child(act) == ("33:44 0:0" if kind == "tar" else "the caller the caller")
