"""Secrets stay out of what a step prints; failures keep the last lines."""

from hypothesis import given
from hypothesis import strategies as st

from kezuri.step.failure import step_failed
from kezuri.step.redaction import Redaction
from kezuri.step.tail import Tail
from kezuri.step.task import Failure


def redacted(secrets: list[bytes], *chunks: bytes) -> bytes:
    out: list[bytes] = []
    redaction = Redaction(secrets, lambda stream, data: out.append(data))
    for chunk in chunks:
        redaction(1, chunk)
    redaction.flush()
    return b"".join(out)


def test_a_secret_is_replaced_wherever_it_stands() -> None:
    assert redacted([b"hunter22"], b"a hunter22 b hunter22hunter22") == b"a *** b ******"


@given(st.data())
def test_the_pieces_do_not_matter(data: st.DataObject) -> None:
    secrets = data.draw(st.lists(st.text("ab1", min_size=4, max_size=8).map(str.encode), min_size=1, max_size=3))
    text = b"".join(data.draw(st.lists(st.sampled_from([*secrets, b"a", b"b", b"1", b"ab1", b"-"]), max_size=8)))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=5)))
    chunks = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    whole = redacted(secrets, text)
    assert redacted(secrets, *chunks) == whole
    assert not any(secret in whole for secret in secrets)
    assert redacted(secrets, *(bytes((b,)) for b in text)) == whole


def test_a_secret_that_begins_with_another_is_replaced_whole() -> None:
    assert redacted([b"pass", b"password1"], b"pass", b"word1 pass word1") == b"*** *** word1"


def test_lines_and_the_stripped_form_count_as_well() -> None:
    secret = b"-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG\nshort\n-----END KEY-----\n"
    said = redacted([secret], b"> MIIEvQIBADANBgkqhkiG <\n", secret.strip(), b"\n", b"-----BEGIN KEY-----\nMIIE")
    assert b"MIIEvQ" not in said and b"short" not in said


def test_streams_are_held_apart() -> None:
    out: list[tuple[int, bytes]] = []
    redaction = Redaction([b"secret"], lambda stream, data: out.append((stream, data)))
    redaction(1, b"sec")
    redaction(2, b"ret")
    redaction(1, b"ond")
    redaction.flush()
    assert b"".join(d for s, d in out if s == 1) == b"second"
    assert b"".join(d for s, d in out if s == 2) == b"ret"


def test_what_cannot_be_a_beginning_is_not_held_back() -> None:
    out: list[bytes] = []
    redaction = Redaction([b"secret"], lambda stream, data: out.append(data))
    redaction(1, b"one line\n")
    assert out == [b"one line\n"]


def test_short_secrets_are_left_alone() -> None:
    assert redacted([b"a", b"", b"abc"], b"abc a b c") == b"abc a b c"


def test_a_large_secret_is_no_slow_secret() -> None:
    secret = b"a" * 200_000 + b"b"
    text = b"a line of output\n" * 4000
    assert redacted([secret, b"x" * 500_000], text) == text


def test_the_last_lines_within_a_bound_of_memory() -> None:
    tail = Tail()
    for i in range(20_000):
        tail.add(b"line %d\n" % i)
    said = tail.text().split("\n")
    assert len(said) == 20 and said[-1] == "line 19999"
    assert sum(map(len, tail._chunks)) < 32 << 10
    long = Tail()
    long.add(b"x" * 1_000_000)
    assert len(long.text()) <= 16 << 10


def test_progress_bars_and_odd_bytes() -> None:
    tail = Tail()
    tail.add(b"10%\r50%\r100%\nbad \xff byte\n")
    assert tail.text() == "100%\nbad \ufffd byte"


def test_a_sign_of_intercepted_tls_is_seen_across_pieces() -> None:
    tail = Tail()
    tail.add(b"npm error code SELF_SIGNED_")
    tail.add(b"CERT_IN_CHAIN")
    error = step_failed("npm ci", Failure(1, intercepted=tail.intercepted))
    assert "ca-certificates" in error.diagnostics[0].hint


def test_what_an_exit_code_means() -> None:
    def hint(failure: Failure) -> str:
        return step_failed("x", failure).diagnostics[0].hint

    assert "not found" in hint(Failure(127))
    assert "cannot be executed" in hint(Failure(126))
    assert "memory" in hint(Failure(137, 9)) and "memory" in hint(Failure(137, 9, True))
    assert hint(Failure(1)) == ""
