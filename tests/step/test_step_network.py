"""Which failures are the network's: what package managers and clients print when it fails, and when it does not."""

import shutil
import subprocess
from pathlib import Path

import pytest

from kezuri.step.network import network_failure
from kezuri.step.task import Failure

NETWORK = """
curl: (6) Could not resolve host: deb.nodesource.com
curl: (28) Operation timed out after 30001 milliseconds with 0 bytes received
curl: (56) Recv failure: Connection reset by peer
curl: (35) OpenSSL SSL_connect: Connection reset by peer in connection to github.com:443
curl: (22) The requested URL returned error: 503
curl: (22) The requested URL returned error: 429 Too Many Requests
curl: (92) HTTP/2 stream 0 was not closed cleanly: INTERNAL_ERROR (err 2)
wget: unable to resolve host address 'example.org'
2024-05-01 10:00:00 ERROR 503: Service Unavailable.
wget: server returned error: HTTP/1.1 502 Bad Gateway
wget: bad address 'dl-cdn.alpinelinux.org'
failed: Temporary failure in name resolution.
W: Failed to fetch http://deb.debian.org/debian/dists/bookworm/InRelease  Temporary failure resolving 'deb.debian.org'
E: Failed to fetch http://deb.debian.org/debian/pool/c/curl_7.88.1_amd64.deb  503  Service Unavailable [IP: 1.2.3.4 80]
E: Failed to fetch http://archive.ubuntu.com/x.deb  Connection failed [IP: 91.189.91.39 80] Could not connect to archive
WARNING: fetching https://dl-cdn.alpinelinux.org/alpine/v3.19/main: temporary error (try again later)
WARNING: fetching https://dl-cdn.alpinelinux.org/v3.20/main: network error (check Internet connection and firewall)
WARNING: updating and opening https://dl-cdn.alpinelinux.org/alpine/v3.22/main: DNS: transient error (try again later)
npm ERR! code ECONNRESET
npm error code ETIMEDOUT
npm error code E503
npm ERR! network request to https://registry.npmjs.org/left-pad failed, reason: getaddrinfo EAI_AGAIN registry.npmjs.org
error An unexpected error occurred: "https://registry.yarnpkg.com/x: ESOCKETTIMEDOUT".
info There appears to be a trouble with your network connection. Retrying...
 ERR_PNPM_META_FETCH_FAIL  GET https://registry.npmjs.org/x: request failed
pip._vendor.urllib3.exceptions.ReadTimeoutError: HTTPSConnectionPool(host='pythonhosted.org'): Read timed out.
ERROR: HTTP error 503 while getting https://files.pythonhosted.org/packages/x.whl
WARNING: Retrying (Retry(total=4)) after connection broken by 'NewConnectionError(...)': /simple/requests/
go: x/y@v1.0.0: Get "https://proxy.golang.org/x": dial tcp: lookup proxy.golang.org on 10.0.0.2:53: no such host
go: x: Get "https://proxy.golang.org/": net/http: TLS handshake timeout
go: reading https://proxy.golang.org/x.zip: read tcp 10.0.0.1:1->2:443: read: connection reset by peer
  [6] Couldn't resolve host name (Could not resolve host: index.crates.io)
  [28] Timeout was reached (Operation too slow. Less than 10 bytes/sec transferred the last 30 seconds)
warning: spurious network error (3 tries remaining): [7] Couldn't connect to server
  failed to get successful HTTP response from `https://index.crates.io/config.json` (1.1.1.1), got 503
[ERROR] Could not transfer artifact x:y:pom:1 from/to central (https://repo.maven.apache.org/maven2): status code: 502
[ERROR] Could not transfer artifact x:y:jar:1 from/to central (https://repo.maven.apache.org): Connection reset
fatal: unable to access 'https://github.com/x/y/': Could not resolve host: github.com
error: RPC failed; curl 56 GnuTLS recv error (-9): Error decoding the received TLS packet.
fetch-pack: unexpected disconnect while reading sideband packet: fatal: early EOF
fatal: the remote end hung up unexpectedly
ssh: connect to host github.com port 22: Connection timed out
""".strip("\n").split("\n")

OTHERS = """
curl: (22) The requested URL returned error: 404
curl: (60) SSL certificate problem: unable to get local issuer certificate
curl: (7) Failed to connect to localhost port 5432 after 0 ms: Connection refused
psql: error: connection to server at "127.0.0.1", port 5432 failed: Connection timed out
E: Unable to locate package nosuch
E: Failed to fetch http://deb.debian.org/debian/pool/main/c/curl/curl_7.88.1_amd64.deb  404  Not Found [IP: 1.2.3.4 80]
npm ERR! code E404
npm ERR! code ERESOLVE
npm error code ELIFECYCLE
ERROR: Could not find a version that satisfies the requirement nosuch==1
ERROR: No matching distribution found for nosuch
go: module github.com/x/y: no matching versions for query "v9"
error: no matching package named `nosuch` found
fatal: Authentication failed for 'https://github.com/x/y/'
fatal: repository 'https://github.com/x/y/' not found
[ERROR] Failed to execute goal: Compilation failure
AssertionError: expected 200, got 500
FAIL src/server.test.js: 500 Internal Server Error was expected
make: *** [Makefile:2: all] Error 1
Permission denied (publickey).
""".strip("\n").split("\n")


@pytest.mark.parametrize("line", NETWORK)
def test_what_is_said_when_the_network_fails(line: str) -> None:
    said = network_failure(Failure(1, output=f"building\n{line}\nmake: *** [Makefile:2: all] Error 1"))
    assert said and line.strip().startswith(said.removesuffix("…"))


@pytest.mark.parametrize("line", OTHERS)
def test_what_is_said_when_something_else_fails(line: str) -> None:
    assert network_failure(Failure(1, output=f"building\n{line}\n")) == ""


@pytest.mark.parametrize(
    "failure",
    [
        Failure(137, 9, True, NETWORK[2]),
        Failure(127, output=NETWORK[2]),
        Failure(1, output=NETWORK[2], disk_full=True),
        Failure(60, output=NETWORK[2], intercepted=True),
    ],
)
def test_what_would_fail_again(failure: Failure) -> None:
    assert network_failure(failure) == ""


@pytest.mark.parametrize(
    "command",
    [
        ("curl", "-sS", "http://host.invalid/"),
        ("wget", "-t1", "-O-", "http://host.invalid/"),
        ("git", "ls-remote", "https://host.invalid/x"),
        ("busybox", "wget", "-O-", "http://host.invalid/"),
        ("pip3", "download", "--retries", "1", "-i", "https://host.invalid/simple", "x"),
    ],
    ids=lambda command: "-".join(command[:2]),
)
@pytest.mark.slow
def test_the_programs_that_are_here(command: tuple[str, ...], tmp_path: Path) -> None:
    """Their words change from version to version."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    ran = subprocess.run(
        command,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(tmp_path), "LC_ALL": "C"},
    )
    said = ran.stdout + ran.stderr
    assert ran.returncode and network_failure(Failure(ran.returncode, output="\n".join(said.split("\n")[-20:]))), said
