"""Stacks of layer directories seen as one tree."""

import os
import threading

import pytest

from kezuri.diagnostics import KezuriError
from kezuri.linux import userns
from kezuri.snapshot.stack import Mounts


def layers(base: str, count: int) -> tuple[str, ...]:
    made = []
    for i in range(count):
        path = f"{base}/layer:{i},x"
        os.makedirs(f"{path}/d")
        for name in (f"d/{i}", "same"):
            with open(f"{path}/{name}", "w") as f:
                f.write(str(i))
        made.append(path)
    return tuple(made)


def apart(act: object) -> None:
    """Run in a child process with mounts of its own."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            userns.enter()
            act()  # type: ignore[operator]
            code = 0
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_one_layer_is_itself_and_none_is_an_error(tmp_path: os.PathLike[str]) -> None:
    (only,) = layers(str(tmp_path), 1)
    with Mounts() as mounts:
        with mounts.mount((only,)) as view:
            assert view == only
        with pytest.raises(KezuriError, match="no layers"), mounts.mount(()):
            pass
        with pytest.raises(KezuriError, match="not-there"), mounts.mount((only, f"{tmp_path}/not-there")):
            pass
        with pytest.raises(KezuriError, match="501"), mounts.mount((only,) * 501):
            pass


@pytest.mark.slow
def test_many_layers_are_merged_and_taken_away(tmp_path: os.PathLike[str]) -> None:
    base = str(tmp_path)
    many = layers(base, 140)
    os.mkdir(f"{base}/place")

    def act() -> None:
        with Mounts(f"{base}/place") as mounts:
            # A layer that comes twice counts once, at its upper place.
            with mounts.mount((*many, *many[:2])) as view, mounts.mount((*many[:2], many[0])) as small:
                assert len(os.listdir(f"{view}/d")) == 140 and sorted(os.listdir(f"{small}/d")) == ["0", "1"]
                with open(f"{view}/same") as f:
                    assert f.read() == "0"
                with pytest.raises(OSError, match="[Rr]ead-only"):  # noqa: RUF043
                    os.mkdir(f"{view}/new")
            assert not os.path.exists(f"{view}/d")
            with pytest.raises(ZeroDivisionError), mounts.mount(many) as view:
                raise ZeroDivisionError
            assert not os.path.exists(f"{view}/d")
        assert os.listdir(f"{base}/place") == []

    apart(act)


@pytest.mark.slow
def test_threads_mount_at_once_and_nothing_is_left(tmp_path: os.PathLike[str]) -> None:
    many = layers(str(tmp_path), 3)
    os.mkdir(f"{tmp_path}/place")

    def act() -> None:
        seen: list[int] = []
        with Mounts(f"{tmp_path}/place") as mounts:

            def look() -> None:
                for _ in range(10):
                    with mounts.mount(many) as view:
                        seen.append(len(os.listdir(f"{view}/d")))

            threads = [threading.Thread(target=look) for _ in range(4)]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
        assert seen == [3] * 40

    apart(act)
    with open("/proc/self/mounts") as f:
        assert str(tmp_path) not in f.read()
    assert os.listdir(f"{tmp_path}/place") == []
