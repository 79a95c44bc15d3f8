"""`--retry-network`: a step that the network failed is run again from the same files, and nothing else is."""

import multiprocessing
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tests.build.build_busybox import RUNS_STEPS, busybox_layout, busybox_tar
from tests.build.build_workshop import Workshop

from kezuri.app.request import Salvage
from kezuri.diagnostics import KezuriError

pytestmark = RUNS_STEPS

RESET = "curl: (56) Recv failure: Connection reset by peer"
COUNT = "RUN --mount=type=cache,target=/c echo x >> /c/tries; n=$(wc -l < /c/tries); test ! -e /left; echo $n > /left; "


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    busybox_layout(tmp_path / "base", busybox_tar(), "", {})
    return Workshop(tmp_path)


def build(shop: Workshop, step: str, retries: int, **more: object) -> str:
    contexts = (("base", f"oci-layout://{shop.directory / 'base'}"),)
    shop.build(f"FROM base\n{step}", build_contexts=contexts, retry_network=retries, **more)
    return shop.said.output.decode()


def test_a_step_succeeds_in_the_end_and_is_cached(shop: Workshop) -> None:
    step = f"{COUNT} if [ $n -lt 3 ]; then echo '{RESET}' >&2; exit 56; fi"
    said = build(shop, step, 3)
    assert said.count(f"kezuri: the network failed this step ({RESET})") == 2
    assert "retry 1 of 3" in said and "retry 2 of 3" in said and "retry 3" not in said
    assert build(shop, step, 0) == "" and len(shop.said.cached) == 1
    assert shop.leftovers() == [] and shop.check() == []


def test_each_try_begins_with_the_same_files(shop: Workshop) -> None:
    """`test ! -e /left` would end the second one if the first had left its changes."""
    step = f"RUN test ! -e /left || exit 9; echo x > /left; echo '{RESET}'; exit 56"
    with pytest.raises(KezuriError, match="exit code: 56") as caught:
        build(shop, step, 1)
    assert "the network failed this step 2 times" in caught.value.diagnostics[0].hint
    assert shop.leftovers() == [] and shop.check() == []


def test_other_failures_and_no_retries(shop: Workshop) -> None:
    with pytest.raises(KezuriError):
        build(shop, "RUN echo 'error: syntax'; exit 1", 5)
    assert "kezuri:" not in shop.said.output.decode()
    with pytest.raises(KezuriError) as caught:
        build(shop, f"RUN echo '{RESET}'; exit 1", 0)
    assert "kezuri:" not in shop.said.output.decode()
    assert "--retry-network" in caught.value.diagnostics[0].hint


def test_a_client_that_gives_up_silently_is_tried_again(shop: Workshop) -> None:
    step = f"{COUNT} if [ $n -lt 2 ]; then echo 'npm ERR! Exit handler never called!'; fi"
    assert "retry 1 of 1" in build(shop, step, 1)
    build(shop, step, 0)
    assert len(shop.said.cached) == 1


def test_what_the_last_try_left_can_be_exported(shop: Workshop, tmp_path: Path) -> None:
    step = f"RUN --mount=type=cache,target=/c echo x >> /c/n; cp /c/n /n; echo '{RESET}'; exit 56"
    with pytest.raises(KezuriError):
        build(shop, step, 1, salvage=(Salvage("/n", str(tmp_path / "out")),))
    assert (tmp_path / "out/n").read_text() == "x\nx\n"


class Moody(BaseHTTPRequestHandler):
    """Answers 503 twice, then gives the file."""

    asked = 0

    def do_GET(self) -> None:
        type(self).asked += 1
        self.send_response(503 if self.asked < 3 else 200)
        self.end_headers()
        self.wfile.write(b"the file")

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing: the kernel says which address it would send from
        except OSError:
            pytest.skip("this machine has no network")
        here = probe.getsockname()[0]
    with ThreadingHTTPServer((here, 0), Moody) as server:
        # In a process of its own: one that has a thread cannot enter the user namespace that an ordinary user needs.
        serving = multiprocessing.get_context("fork").Process(target=server.serve_forever, daemon=True)
        serving.start()
        yield f"http://{here}:{server.server_port}/"
        serving.terminate()
        serving.join()


def test_a_server_that_is_overloaded_for_a_while(shop: Workshop, server: str) -> None:
    said = build(shop, f"RUN wget -O /file {server}", 2)
    assert said.count("the network failed this step (wget: server returned error: HTTP/1.") == 2
