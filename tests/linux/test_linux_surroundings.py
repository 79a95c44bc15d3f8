"""The container engine around a process is known by what engines leave, and told what to allow in its own words."""

from pathlib import Path

import pytest

from kezuri.linux.surroundings import Surroundings, surroundings

MOUNT = "1 0 254:0 / {} rw - ext4 /dev/vda rw\n"


def look(root: Path, files: dict[str, str], points: tuple[str, ...] = (), **environ: str) -> Surroundings:
    """What is found where a root file system has these files and mount points."""
    mountinfo = {"proc/self/mountinfo": "".join(MOUNT.format(point) for point in ("/", *points))}
    for name, text in {**files, **mountinfo}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return surroundings(environ, f"{root}")


def test_each_engine_is_known_by_its_signs(tmp_path: Path) -> None:
    assert look(tmp_path / "a", {"run/.containerenv": ""}).engine == "podman"
    assert look(tmp_path / "b", {".dockerenv": ""}, ("/etc/resolv.conf",)).engine == "docker"
    assert look(tmp_path / "c", {}, KUBERNETES_SERVICE_HOST="10.0.0.1").engine == "kubernetes"
    hosts = {"etc/hosts": "# Kubernetes-managed hosts file.\n127.0.0.1 localhost\n"}
    assert look(tmp_path / "d", {**hosts, ".dockerenv": ""}, ("/etc/resolv.conf",)).engine == "kubernetes"
    assert look(tmp_path / "e", {}, container="lxc").engine == "container"
    assert look(tmp_path / "f", {}, container="podman").engine == "podman"


def test_a_machine_is_not_taken_for_a_container(tmp_path: Path) -> None:
    """Virtual machines are made from the files of container images, with docker's mark among them."""
    assert look(tmp_path, {".dockerenv": "", "etc/hosts": "127.0.0.1 localhost\n"}, ("/proc",)).engine == ""


def test_masked_paths_are_those_below_proc(tmp_path: Path) -> None:
    found = look(tmp_path, {}, ("/proc", "/proc/kcore", "/process", "/proc/sys"))
    assert found.masked == ("/proc/kcore", "/proc/sys")


@pytest.mark.parametrize(
    ("engine", "proc", "namespaces"),
    [
        ("podman", "podman run --security-opt unmask=ALL", "--security-opt seccomp=unconfined"),
        ("docker", "docker run --security-opt systempaths=unconfined", "--security-opt apparmor=unconfined"),
        ("kubernetes", "procMount: Unmasked", "seccompProfile: {type: Unconfined}"),
    ],
)
def test_the_remedy_is_in_the_words_of_the_engine(engine: str, proc: str, namespaces: str) -> None:
    found = Surroundings(engine, "", ())
    assert proc in found.remedy("proc") and namespaces not in found.remedy("proc")
    assert namespaces in found.remedy("namespaces") and proc.split()[-1] not in found.remedy("namespaces")


def test_what_would_fail_next_is_named_at_once() -> None:
    masked = Surroundings("docker", "", ("/proc/kcore",)).remedy("namespaces")
    assert "seccomp=unconfined" in masked and "systempaths=unconfined" in masked


def test_kubernetes_needs_a_user_namespace_for_an_unmasked_proc() -> None:
    """The API server refuses procMount: Unmasked in a pod that has the machine's users."""
    assert "hostUsers: false" in Surroundings("kubernetes", "", ()).remedy("proc")
    assert "hostUsers" not in Surroundings("kubernetes", "", ()).remedy("namespaces")


def test_an_engine_whose_words_are_not_known_is_told_plainly() -> None:
    said = Surroundings("", "", ("/proc/kcore",)).remedy("namespaces")
    assert "user namespaces" in said and "/proc with nothing masked" in said and "podman" in said


def test_a_volume_is_asked_for_by_itself() -> None:
    assert "-v kezuri:/kezuri" in Surroundings("docker", "", ("/proc/kcore",)).remedy("volume")
    assert "emptyDir" in Surroundings("kubernetes", "", ()).remedy("volume")
    assert "volume" in Surroundings("", "", ()).remedy("volume")
