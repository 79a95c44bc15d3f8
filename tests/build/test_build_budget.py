"""Space: what is worth least goes first, nothing that is needed goes, and the figures are those of du."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.build.build_foreseen import agree, came, forecast
from tests.build.build_workshop import Workshop, tar_of, write_layout

from kezuri.app.budget import Budget
from kezuri.app.prune import foresee_prune, inventory, prune, usage
from kezuri.app.request import Settings
from kezuri.diagnostics import KezuriError
from kezuri.linux.ownership import Privilege
from kezuri.store.store import Store, layer_name
from kezuri.upkeep.choice import choice
from kezuri.upkeep.collector import Collector
from kezuri.upkeep.figures import Figures
from kezuri.upkeep.piece import Piece, Ties, Use
from kezuri.upkeep.reach import Reach
from kezuri.upkeep.worth import HALF_LIFE, ranked, worth

DAY = 86400.0


def piece(
    id: str,
    size: int = 100,
    seconds: float = 1.0,
    needs: str = "",
    step: str = "RUN",
    *,
    uses: int = 1,
    kind: str = "regular",
    shared: bool = False,
) -> Piece:
    return Piece(id, kind, id, size, Use(0.0, 0.0, uses, seconds), Ties(needs=needs, step=step, shared=shared))


def order(pieces: list[Piece], *stay: str) -> list[str]:
    return [",".join(p.id for p in c.pieces) for c in ranked(pieces, lambda p: p.id not in stay, 0.0)]


class TestWorth:
    def test_seconds_uses_and_age(self) -> None:
        one = piece("x", seconds=8.0)
        assert worth(one, 0.0) == 8.0 and worth(piece("x", seconds=8.0, uses=4), 0.0) == 24.0
        assert worth(one, HALF_LIFE) == 4.0 and worth(one, -5.0) == 8.0

    def test_what_is_cheap_for_its_size_goes_first(self) -> None:
        pieces = [piece("a", 100, 1.0), piece("b", 1000, 1.0), piece("c", 100, 0.1), piece("d", 0, 0.0)]
        assert order(pieces) == ["b", "c", "a"] or order(pieces) == ["c", "b", "a"]
        assert order(pieces, "b")[-1] == "a"

    def test_what_stood_on_a_run_goes_with_it(self) -> None:
        pieces = [piece("low", 100, 0.1), piece("high", 100, 100.0, "low"), piece("other", 100, 1.0)]
        assert order(pieces) == ["other", "low,high"]
        assert order([piece("low", 100, 90.0), *pieces[1:]]) == ["other", "low,high"]
        assert order([piece("low", 100, 200.0), *pieces[1:]]) == ["other", "high", "low"]
        cheap = [piece("low", 1000, 0.1), piece("high", 1, 0.2, "low"), piece("other", 100, 1.0)]
        assert order(cheap) == ["low,high", "other"]

    def test_what_stood_on_a_copy_stays(self) -> None:
        pieces = [piece("low", 1000, 0.1, step="COPY"), piece("high", 10, 100.0, "low"), piece("o", 100, 1.0)]
        assert order(pieces) == ["low", "o", "high"]

    def test_what_stood_on_a_copy_that_went_goes_with_the_run_below(self) -> None:
        pieces = [piece("low", 100, 0.1), piece("copy", 1000, 0.1, "low", "COPY"), piece("high", 10, 10.0, "copy")]
        assert order(pieces) == ["copy", "low,high"]

    def test_nothing_takes_along_what_may_not_go(self) -> None:
        pieces = [piece("low", 1000, 0.1), piece("middle", 10, 0.1, "low", "COPY"), piece("high", 10, 0.1, "middle")]
        assert order(pieces, "high") == ["middle"] and order(pieces, "middle") == ["high"]
        assert order(pieces) == ["low,middle,high"]


@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.integers(0, 50), st.floats(0, 100), st.sampled_from(("RUN", "COPY"))),
        max_size=10,
    ),
    st.sets(st.integers(0, 9)),
)
def test_everything_that_may_go_goes_once_and_nothing_else(
    made: list[tuple[int, int, float, str]], staying: set[int]
) -> None:
    pieces = [
        piece(str(i), size, seconds, str(below) if below < i else "", step)
        for i, (below, size, seconds, step) in enumerate(made)
    ]
    stay = {str(i) for i in staying}
    gone: list[str] = []
    by = {p.id: p for p in pieces}

    def below(p: Piece) -> list[Piece]:
        return [by[p.ties.needs], *below(by[p.ties.needs])] if p.ties.needs else []

    for candidate in ranked(pieces, lambda p: p.id not in stay, 0.0):
        assert candidate.size == sum(p.size for p in candidate.pieces)
        assert candidate.worth == pytest.approx(sum(worth(p, 0.0) for p in candidate.pieces), abs=1e-6)
        gone += [p.id for p in candidate.pieces]
        # What stands on a RUN that is gone is gone.
        assert all(p.id in gone for p in pieces if any(q.id in gone and q.ties.step == "RUN" for q in below(p)))
    assert len(gone) == len(set(gone)) and not set(gone) & stay
    kept = {p.id for p in pieces} - set(gone)
    for name in kept - stay:
        # It frees nothing, or would take along something that stays.
        carries = [p for p in pieces if p.id in kept and by[name] in below(p)] if by[name].ties.step == "RUN" else []
        assert sum(p.size for p in (by[name], *carries)) == 0 or any(p.id in stay for p in carries)


class TestBudget:
    def test_limits_are_buildkits(self) -> None:
        assert Budget().keep(100, 0) is None
        assert Budget(most=50).keep(100, 0) == 50 and Budget(most=50, reserved=70).keep(100, 0) == 70
        assert Budget(free=30).keep(100, 10) == 80 and Budget(free=30).keep(100, 40) == 100
        assert Budget(most=90, free=30).keep(100, 10) == 80 and Budget(reserved=10).keep(100, 0) == 10
        assert Budget(most=0).keep(100, 0) == 0 and Budget(free=10**9).keep(100, 0) == 0 + max(0, 100 - 10**9)


def filled(tmp_path: Path) -> Workshop:
    """A store with results of several builds, one of them with a name."""
    shop = Workshop(tmp_path)
    layout = write_layout(tmp_path / "base", [tar_of(("etc", None), ("etc/x", b"base" * 3000))])
    text = "FROM base AS one\nCOPY a /a\nCOPY b /b\nWORKDIR /w\nFROM scratch\nCOPY --link --from=one /a /a\nCOPY c /c\n"
    for turn in range(3):
        shop.write(a="a" * 10000, b="b" * 5000 * turn, c="c" * 50000)
        tags = ("kept",) if turn == 2 else ()
        shop.build(text, build_contexts=(("base", f"oci-layout://{layout}"),), tags=tags)
    return shop


def age(shop: Workshop, seconds: float = 30 * DAY) -> None:
    with Store(str(shop.root)) as store:
        for table in ("layer", "record", "mount", "image", "download"):
            store.database.rows(f"UPDATE {table} SET used = used - {seconds}")


def du(path: Path) -> int:
    done = subprocess.run(["du", "-s", "--block-size=1", str(path)], check=True, capture_output=True, text=True)
    return int(done.stdout.split()[0])


class TestFigures:
    def test_the_total_is_that_of_du(self, tmp_path: Path) -> None:
        shop = filled(tmp_path)
        strange = shop.root / "mounts" / "strange"
        strange.mkdir()
        with open(strange / "sparse", "wb") as file:
            file.truncate(1 << 30)
            file.write(b"x")
        (strange / "data").write_bytes(b"x" * 100_000)
        os.link(strange / "data", strange / "again")
        os.link(strange / "data", shop.root / "tmp" / "and again")
        for _ in range(2):
            with Store(str(shop.root)) as store:
                told = sum(size for _, _, size in Figures(store, Privilege()).usage())
                assert abs(told - du(shop.root)) <= 4096
            prune(Settings(str(shop.root)), budget=Budget(most=30_000))
        assert sum(size for _, _, size in usage(Settings(str(shop.root)))) < 10 << 20

    def test_pieces_add_up_to_the_cache(self, tmp_path: Path) -> None:
        shop = filled(tmp_path)
        with Store(str(shop.root)) as store:
            collection = Collector(store, Privilege())
            pieces = collection.pieces()
            named = Reach(store).named_blobs()
            known = named | {form.digest for form in store.database.forms()}
            documents = sum(os.stat(store.blobs.path(d)).st_blocks * 512 for d in set(store.blobs.digests()) - known)
            # A listing of an image's layer stays with the image.
            listings = sum(
                os.stat(shop.root / "listings" / layer_name(p.ties.layer)).st_blocks * 512
                for p in pieces
                if p.ties.named and (shop.root / "listings" / layer_name(p.ties.layer)).exists()
            )
            assert (
                sum(p.size for p in pieces if not p.ties.named)
                == Figures(store, Privilege()).cache_bytes() - documents - listings
            )
        assert {p.kind for p in pieces} >= {"regular", "internal"}


class TestPrune:
    def test_what_goes_is_what_was_foreseen_and_what_is_freed_what_was_said(self, tmp_path: Path) -> None:
        shop = filled(tmp_path)
        foreseen = sum(c.size for c in foresee_prune(Settings(str(shop.root)), all=True))
        with Store(str(shop.root)) as store:
            before = Figures(store, Privilege()).cache_bytes()
        removed = sum(r.size for r in prune(Settings(str(shop.root)), all=True))
        with Store(str(shop.root)) as store:
            freed = before - Figures(store, Privilege()).cache_bytes()
        # Directories become smaller, too: of that nobody speaks.
        assert abs(freed - removed) <= 32768 and abs(foreseen - removed) <= 32768
        assert os.listdir(shop.root / "contexts") == []

    def test_a_budget_is_kept_and_what_remains_works(self, tmp_path: Path) -> None:
        shop = filled(tmp_path)
        with Store(str(shop.root)) as store:
            whole = Figures(store, Privilege()).cache_bytes()
        for budget in (whole, whole * 2 // 3, whole // 3, 0):
            expected = foresee_prune(Settings(str(shop.root)), budget=Budget(most=budget))
            with Store(str(shop.root)) as store:
                before = {r.key for r in store.database.records()}
            prune(Settings(str(shop.root)), budget=Budget(most=budget))
            with Store(str(shop.root)) as store:
                assert Figures(store, Privilege()).cache_bytes() <= max(budget, 16384)
                left = {r.key for r in store.database.records()}
            # More may go than was foreseen: what two layers share is freed with the second of them only.
            assert before - left >= {p.id for c in expected for p in c.pieces if p.kind == "regular"}
            assert shop.check() == []
        contexts = (("base", f"oci-layout://{tmp_path}/base"),)
        foresight = forecast(shop, build_contexts=contexts)
        result = shop.build(build_contexts=contexts)
        assert agree(foresight, came(shop)) and set(shop.files(result)) >= {"a", "c"}

    def test_filters(self, tmp_path: Path) -> None:
        shop = filled(tmp_path)
        where = Settings(str(shop.root))
        titles = {v.piece.title for v in inventory(where, ("type=regular",))}
        assert titles == {"COPY a /a", "COPY b /b", "WORKDIR /w", "COPY --link --from=one /a /a", "COPY c /c"}
        prune(where, filters=("description~=COPY b",))
        assert "COPY b /b" not in {v.piece.title for v in inventory(where)}
        (one,) = [v.piece for v in inventory(where, ("description=COPY c /c",))][:1]
        prune(where, filters=(f"id={one.id[:12]}",))
        assert one.id not in {v.piece.id for v in inventory(where)}
        (shop.root / "contexts" / "x.index").write_bytes(b"x")
        prune(where, filters=("type=source.local",), until=DAY)
        assert inventory(where, ("type=source.local",))
        prune(where, filters=("type=source.local",))
        assert not inventory(where, ("type=source.local",))
        assert inventory(where, ("type=regular", "inuse=false")) and not inventory(where, ("inuse",), until=DAY)

    def test_what_an_open_store_has_used_stays(self, tmp_path: Path) -> None:
        shop = filled(tmp_path)
        with Store(str(shop.root)) as store:
            before = store.database.records()
            prune(Settings(str(shop.root)), budget=Budget(most=0))
            assert store.database.records() == before
            age(shop)
            prune(Settings(str(shop.root)), budget=Budget(most=0))
            # What frees nothing, for an image with a name has it too, is no reason to run it again.
            assert {r.title for r in store.database.records()} <= {"COPY --link --from=one /a /a", "COPY c /c"}

    def test_an_image_with_a_name_stays_readable(self, tmp_path: Path) -> None:
        shop = filled(tmp_path)
        prune(Settings(str(shop.root)), budget=Budget(most=0))
        with Store(str(shop.root)) as store:
            (descriptor,) = store.names.all().values()
            assert all(store.blobs.has(d) for d in Reach(store).named_blobs())
            assert store.blobs.read(descriptor.digest)

    def test_a_layer_of_a_base_is_pulled_again(self, tmp_path: Path) -> None:
        shop = filled(tmp_path)
        contexts = (("base", f"oci-layout://{tmp_path}/base"),)
        assert not forecast(shop, build_contexts=contexts).pulls
        prune(Settings(str(shop.root)), budget=Budget(most=0))
        assert forecast(shop, build_contexts=contexts).pulls
        shop.build(build_contexts=contexts)
        assert shop.check() == []


@pytest.mark.parametrize(
    ("filters", "titles"),
    [
        (("type=regular",), "ab"),
        (("type=regular", "type=exec.cachemount"), "abm"),
        (("type!=regular",), "m"),
        (("type!=regular", "type!=exec.cachemount"), ""),
        (("description~=^a",), "a"),
        (("id==a",), "a"),
        (("shared",), "b"),
        (("private",), "am"),
        (("shared=false",), "am"),
        (("inuse",), "m"),
        ((), "abm"),
    ],
)
def test_filters_choose(filters: tuple[str, ...], titles: str) -> None:
    pieces = [piece("a"), piece("b", shared=True), piece("m", kind="exec.cachemount")]
    chosen = choice(filters, lambda p: p.id == "m")
    assert "".join(p.id for p in pieces if chosen(p)) == titles


@pytest.mark.parametrize("text", ["type=regulr", "typ=regular", "description~=[", "nothing", "shared=maybe", "id", "="])
def test_filters_that_are_not_understood(text: str) -> None:
    with pytest.raises(KezuriError) as caught:
        choice((text,), lambda p: False)
    assert caught.value.exit_code == 2


# laws

NAMES = ("a", "b", "c")


@pytest.mark.slow
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_a_budget_never_breaks_what_is_left(data: st.DataObject) -> None:
    place = Path(tempfile.mkdtemp())
    try:
        shop = Workshop(place)
        shop.write(**dict.fromkeys(NAMES, "0" * 9000))
        lines = data.draw(
            st.lists(st.sampled_from(("COPY a /a", "COPY --link b /b", "WORKDIR /w", "COPY c /c")), min_size=1)
        )
        text = "FROM scratch AS s\n" + "\n".join(lines) + "\nFROM scratch\nCOPY a /x\nCOPY --from=s / /s\n"
        for _ in range(3):
            shop.write(**{data.draw(st.sampled_from(NAMES)): data.draw(st.sampled_from("123")) * 9000})
            tags = data.draw(st.sampled_from([(), ("t",)]))
            shop.build(text, tags=tags)
            if data.draw(st.booleans()):
                age(shop, data.draw(st.sampled_from([DAY, 9 * DAY])))
            budget = data.draw(st.integers(0, 150_000))
            leased = data.draw(st.booleans())
            held = Store(str(shop.root)) if leased else None
            try:
                if held is not None:
                    held.__enter__()
                    needed = {r.key for r in held.database.records() if r.used > held.opened - 1200}
                    prune(Settings(str(shop.root)), budget=Budget(most=budget))
                    assert needed <= {r.key for r in held.database.records()}
                else:
                    prune(Settings(str(shop.root)), budget=Budget(most=budget))
            finally:
                if held is not None:
                    held.__exit__(None, None, None)
            with Store(str(shop.root)) as store:
                records = {r.key: r for r in store.database.records()}
                if not leased:
                    assert Figures(store, Privilege()).cache_bytes() <= max(budget, 16384)
            assert shop.check() == []
            foresight = forecast(shop)
            shop.build(text)
            assert agree(foresight, came(shop))
            with Store(str(shop.root)) as store:
                # What was left was believed, and is the same still.
                assert all(store.database.record(key).layer == r.layer for key, r in records.items())  # type: ignore[union-attr]
    finally:
        shutil.rmtree(place)
