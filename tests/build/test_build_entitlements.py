"""What steps may only do when the build allows it; and the build arguments that speak to the builder."""

from pathlib import Path

import pytest
from tests.build.build_busybox import RUNS_STEPS, busybox_layout, busybox_tar
from tests.build.build_workshop import Workshop, lines

from kezuri.diagnostics import KezuriError


@pytest.mark.parametrize(
    ("flag", "entitlement"), [("--network=host", "network.host"), ("--security=insecure", "security.insecure")]
)
def test_what_needs_an_entitlement_is_refused_before_anything_runs(tmp_path: Path, flag: str, entitlement: str) -> None:
    shop = Workshop(tmp_path)
    with pytest.raises(KezuriError) as caught:
        shop.build(f"FROM scratch\nRUN {flag} x")
    (said,) = caught.value.diagnostics
    assert said.message == f"{entitlement} is not allowed" and f"--allow {entitlement}" in said.hint
    assert lines(caught.value) == [2] and shop.said.ran == []


class TestSteps:
    pytestmark = RUNS_STEPS

    @pytest.fixture
    def shop(self, tmp_path: Path) -> Workshop:
        busybox_layout(tmp_path / "base", busybox_tar(), "", {})
        return Workshop(tmp_path)

    def built(self, shop: Workshop, text: str, **more: object) -> str:
        contexts = (("base", f"oci-layout://{shop.directory / 'base'}"),)
        shop.build(text, build_contexts=contexts, **more)
        return shop.said.output.decode()

    def test_the_network_of_the_host_with_leave_or_for_the_whole_build(self, shop: Workshop) -> None:
        text = "FROM base\nRUN --network=host echo done"
        assert "done" in self.built(shop, text, allow=("network.host",))
        assert shop.said.ran == ["RUN --network=host echo done"]
        self.built(shop, text, network="host")
        assert shop.said.cached == ["RUN --network=host echo done"]

    def test_nothing_can_be_mounted_and_copied_from(self, shop: Workshop) -> None:
        text = (
            "FROM scratch AS nothing\nFROM base\nCOPY --from=nothing / /a/\nCOPY --from=scratch / /b/\n"
            "RUN --mount=from=nothing,target=/m --mount=from=scratch,target=/n ls /a /b /m /n && echo empty"
        )
        assert "empty" in self.built(shop, text)
        with pytest.raises(KezuriError) as caught:
            self.built(shop, "FROM base\nCOPY --from=scratch x /")
        assert lines(caught.value) == [2] and '"x" was not found' in str(caught.value)

    def test_a_cache_mount_belongs_to_its_namespace(self, shop: Workshop) -> None:
        write = "FROM base\nRUN --mount=type=cache,target=/c echo one > /c/f"
        read = "FROM base\nRUN --mount=type=cache,target=/c cat /c/f || echo empty"
        self.built(shop, write, build_args=(("BUILDKIT_CACHE_MOUNT_NS", "a"),))
        for namespace, found in (("b", "empty"), ("a", "one")):
            given = (("BUILDKIT_CACHE_MOUNT_NS", namespace),)
            assert found in self.built(shop, f"{read} # {namespace}", build_args=given), namespace

    def test_the_host_name_can_be_chosen_and_is_in_the_key(self, shop: Workshop) -> None:
        text = "FROM base\nRUN hostname"
        for given, name in (((), "buildkitsandbox"), ((("BUILDKIT_SANDBOX_HOSTNAME", "here"),), "here")):
            assert name in self.built(shop, text, build_args=given)
            assert shop.said.ran == ["RUN hostname"]
        self.built(shop, text, build_args=(("BUILDKIT_SANDBOX_HOSTNAME", ""),))
        assert shop.said.ran == []

    def test_proxies_reach_steps_in_both_cases_and_no_key(self, shop: Workshop) -> None:
        text = "FROM base\nENV HTTP_PROXY=http://env\nRUN env"
        said = self.built(shop, text, build_args=(("Http_Proxy", "http://p"),))
        assert "HTTP_PROXY=http://p\n" in said and "http_proxy=http://p\n" in said
        self.built(shop, text, build_args=(("Http_Proxy", "http://q"),))
        assert shop.said.ran == []

    def test_a_cache_is_known_by_its_target_as_it_is_written(self, shop: Workshop) -> None:
        text = (
            "FROM base\nWORKDIR /a\nRUN --mount=type=cache,target=c touch c/made\n"
            "WORKDIR /b\nRUN --mount=type=cache,target=c ls c"
        )
        assert "made" in self.built(shop, text)
