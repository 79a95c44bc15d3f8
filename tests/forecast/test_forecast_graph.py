"""The graph of a forecast: every step once, in its order, after all that it needs."""

from pathlib import Path

from tests.build.build_foreseen import forecast
from tests.build.build_workshop import Workshop, tar_of, write_layout

from kezuri.forecast.graph import Edge, Graph, graph

TEXT = """\
FROM scratch AS lib
COPY lib /lib
FROM base AS app
COPY --from=lib /lib /lib
COPY --from=other /f /f
FROM app AS unused
COPY a /x
FROM app AS last
COPY --from=lib /lib/x /x
COPY --from=base / /base
WORKDIR /w
FROM scratch AS nothing
"""


def drawn(tmp_path: Path, target: str = "last", changed: tuple[str, ...] | None = None) -> Graph:
    shop = Workshop(tmp_path)
    shop.write(lib__x="x", a="a", Dockerfile=TEXT)
    other = tmp_path / "other"
    other.mkdir(exist_ok=True)
    (other / "f").write_text("f")
    layout = tmp_path / "layout"
    if not layout.exists():
        write_layout(layout, [tar_of(("f", b"base"))])
    contexts = (("other", str(other)), ("base", f"oci-layout://{layout}"))
    return graph(forecast(shop, changed, target=target, build_contexts=contexts))


def test_every_step_is_there_once_after_what_it_needs(tmp_path: Path) -> None:
    found = drawn(tmp_path)
    assert [[node.text for node in group.nodes] for group in found.groups] == [
        ["FROM scratch", "COPY lib /lib"],
        [found.groups[1].nodes[0].text, "COPY --from=lib /lib /lib", "COPY --from=other /f /f"],
        ["FROM app", "COPY --from=lib /lib/x /x", "COPY --from=base / /base", "WORKDIR /w"],
    ]
    assert [(node.kind, node.id) for node in found.outside] == [("context", "from0"), ("image", "from1")]
    lib, app, last = found.groups
    assert [edge for edge in found.edges if edge.files] == [
        Edge(lib.nodes[-1].id, app.nodes[1].id, True),
        Edge("from0", app.nodes[2].id, True),
        Edge(lib.nodes[-1].id, last.nodes[1].id, True),
        Edge("from1", last.nodes[2].id, True),
    ]
    stands = {(edge.before, edge.after) for edge in found.edges if not edge.files}
    chains = {(a.id, b.id) for group in found.groups for a, b in zip(group.nodes, group.nodes[1:], strict=False)}
    assert stands == chains | {(app.nodes[-1].id, last.nodes[0].id)}
    order = [node.id for node in (*found.outside, *(node for group in found.groups for node in group.nodes))]
    assert len(set(order)) == len(order)
    assert all(order.index(edge.before) < order.index(edge.after) for edge in found.edges)


def test_a_stage_without_steps_has_what_it_stands_on(tmp_path: Path) -> None:
    found = drawn(tmp_path, "nothing")
    assert [[node.text for node in group.nodes] for group in found.groups] == [["FROM scratch"]]
    assert found.edges == () and found.outside == ()


def test_of_changed_files_it_shows_what_would_then_be(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    shop.write(a="a", Dockerfile="FROM scratch\nCOPY a /a\n")
    shop.build()
    before, after = graph(forecast(shop)), graph(forecast(shop, (str(shop.context / "a"),)))
    outcomes = [[node.step.outcome for node in g.groups[0].nodes if node.step is not None] for g in (before, after)]
    assert outcomes == [["cached"], ["runs"]]
