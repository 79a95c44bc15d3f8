"""What a build would do: the forecast, held against the build that follows it."""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.build.build_foreseen import agree, came, forecast, outcomes
from tests.build.build_workshop import Workshop, tar_of, write_layout

from kezuri.app.forecast import foresee
from kezuri.app.request import BuildRequest, Settings
from kezuri.diagnostics import KezuriError
from kezuri.forecast.schedule import Lane, makespan
from kezuri.store.store import Store

TEXT = """\
FROM scratch AS lib
COPY lib /lib
WORKDIR /made
FROM scratch AS app
COPY a /a
COPY --link b /b
COPY --from=lib /lib/x /x
FROM app
COPY --from=app /a /again
COPY --link --from=lib /lib /lib
COPY c/ /c/
"""
FILES = {"lib__x": "x", "lib__y": "y", "a": "a", "b": "b", "c__1": "1"}


def started(tmp_path: Path, text: str = TEXT) -> Workshop:
    shop = Workshop(tmp_path)
    shop.write(**FILES, Dockerfile=text)
    return shop


def told(shop: Workshop) -> dict[str, str]:
    """Outcomes by title."""
    return {name.partition("] ")[2]: outcome for name, outcome in outcomes(forecast(shop)).items()}


def test_before_the_first_build_everything_runs(tmp_path: Path) -> None:
    shop = started(tmp_path)
    foresight = forecast(shop)
    assert set(outcomes(foresight).values()) == {"runs"}
    assert all(step.past is None for step in foresight.steps) and foresight.expense.unknown == len(foresight.steps)
    assert shop.leftovers() == []
    with Store(str(shop.root)) as store:
        assert store.database.records() == [] and store.database.layers() == []
    shop.build()
    assert agree(foresight, came(shop))


def test_after_a_build_everything_is_cached_and_nothing_is_noted(tmp_path: Path) -> None:
    shop = started(tmp_path)
    shop.build()
    with Store(str(shop.root)) as store:
        store.database.rows("UPDATE record SET used = used - 9000")
        before = store.database.records()
    foresight = forecast(shop)
    assert set(outcomes(foresight).values()) == {"cached"} and not foresight.pulls
    assert all(step.past is not None for step in foresight.steps)
    with Store(str(shop.root)) as store:
        assert store.database.records() == before


EDITS: dict[str, tuple[Callable[[Path], object], set[str]]] = {
    "nothing": (lambda c: None, set()),
    "a file of a COPY": (lambda c: (c / "a").write_text("other"), {"COPY a /a"}),
    "a file of a linked COPY": (lambda c: (c / "b").write_text("other"), {"COPY --link b /b"}),
    "the same content again": (lambda c: (c / "a").write_text("a"), set()),
    "another time": (lambda c: os.utime(c / "a", (1, 1)), set()),
    "another mode": (lambda c: (c / "a").chmod(0o755), {"COPY a /a"}),
    "a new file": (lambda c: (c / "c/2").write_text("2"), {"COPY c/ /c/"}),
    "a deleted file": (lambda c: (c / "lib/y").unlink(), {"COPY lib /lib"}),
    "an ignored file": (lambda c: (c / "c/x.log").write_text("2"), set()),
    "a file that nothing takes": (lambda c: (c / "other").write_text("2"), set()),
    "all of them": (lambda c: [p.write_text("!") for p in (c / "a", c / "b", c / "lib/x")], {"COPY a /a"}),
}


@pytest.mark.parametrize("edit", EDITS)
def test_a_forecast_comes_true(tmp_path: Path, edit: str) -> None:
    shop = started(tmp_path)
    shop.write(**{".dockerignore": "**/*.log\n"})
    shop.build()
    change, expected = EDITS[edit]
    change(shop.context)
    foresight = forecast(shop)
    runs = {step.title for step in foresight.steps if step.outcome == "runs"}
    assert expected <= runs and bool(expected) == bool(runs)
    shop.build()
    assert agree(foresight, came(shop))
    assert set(outcomes(forecast(shop)).values()) == {"cached"}


def test_a_step_behind_another_stage_may_find_the_same_files(tmp_path: Path) -> None:
    shop = started(tmp_path)
    shop.build()
    shop.write(lib__y="other")
    known = told(shop)
    assert known["COPY lib /lib"] == "runs" and known["WORKDIR /made"] == "runs"
    # x is the same still, which cannot be known before the stage is made.
    assert known["COPY --from=lib /lib/x /x"] == "depends" and known["COPY --from=app /a /again"] == "depends"
    assert known["COPY --link --from=lib /lib /lib"] == "depends" and known["COPY c/ /c/"] == "depends"
    shop.build()
    assert "COPY --from=lib /lib/x /x" in shop.said.cached and "COPY c/ /c/" in shop.said.ran


def test_what_a_copy_gives_is_known_without_making_it(tmp_path: Path) -> None:
    """The layer of a COPY is a pure function of its key: when it was there before, so were the steps upon it."""
    shop = started(tmp_path)
    shop.build()
    with Store(str(shop.root)) as store:
        (key,) = [r.key for r in store.database.records() if r.title == "COPY a /a"]
        store.database.rows("DELETE FROM record WHERE key = ?", key)
    known = told(shop)
    assert known["COPY a /a"] == "runs" and known["COPY --link b /b"] == "cached"
    assert known["COPY --from=app /a /again"] == known["COPY c/ /c/"] == "cached"
    foresight = forecast(shop)
    shop.build()
    assert agree(foresight, came(shop)) and came(shop) == outcomes(foresight)


def test_equal_steps_of_one_build_are_made_once(tmp_path: Path) -> None:
    shop = started(tmp_path, "FROM scratch AS x\nCOPY a /a\nFROM scratch\nCOPY a /a\nCOPY --from=x /a /b\n")
    foresight = forecast(shop)
    first, second, third = foresight.steps
    assert (first.outcome, second.outcome, third.outcome) == ("runs", "cached", "runs")
    assert second.like == (0, 0) and first.keys == second.keys
    shop.build(parallelism=1)
    assert sorted(came(shop).values()) == ["cached", "runs", "runs"]


def test_no_cache(tmp_path: Path) -> None:
    shop = started(tmp_path)
    shop.build()
    assert set(outcomes(forecast(shop, no_cache=True)).values()) == {"runs"}
    foresight = forecast(shop, no_cache_filter=("lib",))
    shop.build(no_cache_filter=("lib",))
    assert agree(foresight, came(shop)) and came(shop)["[lib 1/2] COPY lib /lib"] == "runs"


def test_errors_are_those_of_the_build(tmp_path: Path) -> None:
    shop = started(tmp_path, "FROM scratch\nCOPY nothere /\n")
    with pytest.raises(KezuriError, match="nothere") as foretold:
        forecast(shop)
    with pytest.raises(KezuriError) as real:
        shop.build()
    assert str(foretold.value) == str(real.value)


def test_what_would_be_pulled(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    shop.write(a="a", Dockerfile="FROM base AS one\nCOPY a /a\nFROM scratch\nCOPY --from=one /a /a\n")
    layout = write_layout(tmp_path / "base", [tar_of(("etc", None)), tar_of(("etc/x", b"base"))])
    contexts = (("base", f"oci-layout://{layout}"),)
    (pull,) = forecast(shop, build_contexts=contexts).pulls
    sizes = [os.path.getsize(p) for p in (layout / "blobs/sha256").iterdir()]
    assert (pull.missing, pull.layers, pull.certain) == (2, 2, True) and pull.size == sum(s for s in sizes if s > 9000)
    shop.build(build_contexts=contexts)
    assert forecast(shop, build_contexts=contexts).pulls == ()


class TestChanges:
    def change(self, shop: Workshop, *files: str) -> tuple[set[str], set[str]]:
        """The titles of what would run, and of what may."""
        found = forecast(shop, files).change
        assert found is not None
        of = [s for s in found.steps if (s.stage, s.position) in found.affected]
        assert found.something == bool(of)
        return {s.title for s in of if s.outcome == "runs"}, {s.title for s in of if s.outcome == "depends"}

    def test_files_by_what_takes_them(self, tmp_path: Path) -> None:
        shop = started(tmp_path)
        shop.write(**{".dockerignore": "**/*.log\n!c/kept.log\nhidden\n!hidden/shown\n"})
        shop.build()
        own = str(shop.context)
        # The stage `app` is what the last stage stands on.
        assert "COPY a /a" in self.change(shop, f"{own}/a")[0]
        assert "COPY --link b /b" in self.change(shop, "b")[0] and "COPY a /a" not in self.change(shop, "b")[0]
        assert self.change(shop, "c/1") == ({"COPY c/ /c/"}, set())
        assert self.change(shop, "c/new/deep") == ({"COPY c/ /c/"}, set())
        assert self.change(shop, "c") == self.change(shop, "c/") == ({"COPY c/ /c/"}, set())
        assert self.change(shop, "c/kept.log") == ({"COPY c/ /c/"}, set())
        for nothing in ("c/x.log", "other", "hidden/x", "/etc/passwd", "c-more"):
            assert self.change(shop, nothing) == (set(), set())
        assert "COPY lib /lib" in self.change(shop, own)[0]
        assert self.change(shop, "lib/y")[1] >= {"COPY --from=lib /lib/x /x"}

    def test_a_forecast_of_a_change_comes_true(self, tmp_path: Path) -> None:
        shop = started(tmp_path)
        shop.build()
        found = forecast(shop, ("lib/x", "c/new"))
        assert found.change is not None
        shop.write(lib__x="other", c__new="new")
        later = forecast(shop)
        assert outcomes(later) == outcomes(found._replace(steps=found.change.steps))
        assert [s.outcome for s in found.steps] == ["cached"] * len(found.steps)

    def test_what_runs_anyway_is_told_apart(self, tmp_path: Path) -> None:
        shop = started(tmp_path)
        found = forecast(shop, ("a",)).change
        assert found is not None and found.something and found.expense.unknown == 0

    def test_the_dockerfile_and_ignore_files_change_the_plan(self, tmp_path: Path) -> None:
        shop = started(tmp_path)
        shop.build()
        for name, role in (
            ("Dockerfile", "dockerfile"),
            ("Dockerfile.dockerignore", "ignore"),
            (".dockerignore", "ignore"),
        ):
            found = forecast(shop, (name,)).change
            assert found is not None and [c.role for c in found.causes] == [role] and found.something
        shop.write(**{"Dockerfile.dockerignore": "z"})
        found = forecast(shop, (".dockerignore",)).change
        assert found is not None and [c.role for c in found.causes] == ["file"] and not found.something

    def test_links(self, tmp_path: Path) -> None:
        shop = started(tmp_path, "FROM scratch\nCOPY linked /l\nCOPY c /c\n")
        (shop.context / "linked").symlink_to("a")
        (shop.context / "way").symlink_to("c")
        shop.build()
        assert self.change(shop, "a")[0] == {"COPY linked /l", "COPY c /c"}
        assert self.change(shop, "linked")[0] == {"COPY linked /l", "COPY c /c"}
        assert self.change(shop, "way/1")[0] == {"COPY c /c"}

    def test_what_is_reached_through_a_changed_link(self, tmp_path: Path) -> None:
        texts = {
            "COPY link/i /1": True,
            "COPY l*/i /2": True,
            "COPY l*/* /3": True,
            "COPY link/ /4": True,
            "COPY link /5": True,
            "COPY chain/i /6": True,
            "COPY link/deep/j /7": True,
            "COPY link/empty /8": True,
            "COPY link/back /9": True,
            "COPY under/ /10": True,
            "COPY under/up/i /11": True,
            "COPY real/i /12": False,
            "COPY file/ /13": False,
        }
        shop = started(tmp_path, "\n".join(("FROM scratch AS x", *(f"FROM x\n{text}" for text in texts), "FROM x")))
        last = "\n".join(f"COPY --from={i + 1} / /{i}/" for i in range(len(texts)))
        (shop.context / "Dockerfile").write_text((shop.context / "Dockerfile").read_text() + "\n" + last + "\n")
        shop.write(real__i="1", real__deep__j="2", file="3", under__x="4")
        (shop.context / "real" / "empty").mkdir()
        (shop.context / "real" / "back").symlink_to("i")
        (shop.context / "link").symlink_to("real")
        (shop.context / "chain").symlink_to("./link")
        (shop.context / "under" / "up").symlink_to("../link")
        shop.build()
        for name in ("link", str(shop.context / "link")):
            # The link in `under` is copied as it is: it is no other.
            expected = {text for text, affected in texts.items() if affected} - {"COPY under/ /10"}
            assert self.change(shop, name)[0] & texts.keys() == expected
        assert self.change(shop, "under/up")[0] & texts.keys() == {"COPY under/ /10", "COPY under/up/i /11"}
        assert self.change(shop, "under")[0] & texts.keys() == {"COPY under/ /10", "COPY under/up/i /11"}

    def test_a_name_that_nothing_has_may_be_of_a_directory(self, tmp_path: Path) -> None:
        shop = started(tmp_path, "FROM scratch\nCOPY gone*/* kept*/i /x/\nCOPY a /a\n")
        shop.write(kept__i="1")
        shop.build()
        assert self.change(shop, "gone1")[0] == {"COPY gone*/* kept*/i /x/", "COPY a /a"}
        assert self.change(shop, "other") == (set(), set())

    def test_a_named_context(self, tmp_path: Path) -> None:
        shop = started(tmp_path, "FROM scratch\nCOPY --from=other f /f\nCOPY a /a\n")
        other = tmp_path / "other"
        other.mkdir()
        (other / "f").write_text("f")
        contexts = (("other", str(other)),)
        shop.build(build_contexts=contexts)
        found = forecast(shop, (str(other / "f"),), build_contexts=contexts).change
        assert found is not None and len(found.affected) == 2

    def test_a_tree_of_a_pipe_has_no_files_to_change(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        with open(os.devnull) as nothing, pytest.raises(KezuriError) as caught:
            monkeypatch.setattr("sys.stdin", nothing)
            foresee(BuildRequest(context="-"), Settings(str(tmp_path)), lambda event: None, ("a",))
        assert caught.value.exit_code in (1, 2)


def test_the_clock_counts_stages_beside_each_other() -> None:
    lanes = {0: Lane(-1, ((3.0, ()), (2.0, ()))), 1: Lane(-1, ((4.0, ()),)), 2: Lane(-1, ((1.0, (0, 1)), (0.0, ())))}
    assert makespan(lanes, 4) == 6.0 and makespan(lanes, 1) == 10.0
    assert makespan({**lanes, 2: Lane(0, ((1.0, ()),))}, 4) == 6.0
    assert makespan({}, 1) == 0.0 and makespan({0: Lane(-1, ())}, 1) == 0.0


# laws

NAMES = ("a", "b", "c", "d")


@st.composite
def dockerfiles(draw: st.DrawFn) -> str:
    """Small plans of stages that copy: from the context, and from each other what they surely hold."""
    lines: list[str] = []
    holds: list[set[str]] = []
    for number in range(draw(st.integers(1, 4))):
        on = draw(st.sampled_from(["scratch", *(f"s{i}" for i in range(number))]))
        lines.append(f"FROM {on} AS s{number}")
        held = set() if on == "scratch" else set(holds[int(on[1:])])
        for _ in range(draw(st.integers(1, 3))):
            place = draw(st.sampled_from(("/p", "/q")))
            link = draw(st.sampled_from(("", "--link ")))
            others = [i for i in range(number) if holds[i]]
            kind = draw(st.sampled_from(["context", "context", "workdir", *(["stage"] * 3 if others else [])]))
            if kind == "workdir":
                lines.append(f"WORKDIR {draw(st.sampled_from(('/w', '/w/x')))}")
            elif kind == "context":
                names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=2, unique=True))
                lines.append(f"COPY {link}{' '.join(names)} {place}/")
                held.update(f"{place}/{name}" for name in names)
            else:
                other = draw(st.sampled_from(others))
                source = draw(st.sampled_from(sorted(holds[other])))
                lines.append(f"COPY {link}--from=s{other} {source} {place}/")
                held.add(f"{place}/{source.rpartition('/')[2]}")
        holds.append(held)
    return "\n".join(lines) + "\n"


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(dockerfiles(), min_size=1, max_size=2), st.data())
def test_what_is_foretold_for_certain_comes_so(texts: list[str], data: st.DataObject) -> None:
    place = Path(tempfile.mkdtemp())
    try:
        shop = Workshop(place)
        shop.write(**dict.fromkeys(NAMES, "0"))
        for _ in range(4):
            edits = data.draw(st.dictionaries(st.sampled_from(NAMES), st.sampled_from("01"), max_size=2))
            shop.write(**edits, Dockerfile=data.draw(st.sampled_from(texts)))
            lost = data.draw(st.integers(0, 8))
            with Store(str(shop.root)) as store:
                for record in sorted(store.database.records())[:lost][-1:] if lost > 5 else ():
                    store.database.rows("DELETE FROM record WHERE key = ?", record.key)
            foresight = forecast(shop)
            shop.build()
            assert agree(foresight, came(shop)), (outcomes(foresight), came(shop))
            assert set(outcomes(forecast(shop)).values()) == {"cached"}
    finally:
        shutil.rmtree(place)
