"""Options of `docker run` that `kezuri run` has not: accepted where nothing is lost, else answered by name."""

from kezuri.cli.options import Option

_BACKGROUND = (
    "a container ends with the command that runs it: `kezuri run ... &`, nohup, or "
    "`systemd-run --user kezuri run ...` keep both in the background"
)
_RESTART = "what runs kezuri starts it again: a loop in a shell, or a systemd service with Restart=on-failure"
_PRIVILEGED = (
    "give what it needs by name: --cap-add, --device, --security-opt seccomp=unconfined, --volume, --network host"
)
_DEVICES = "devices are given by their paths, with --device"
_INPUT = "give --interactive for standard input; both outputs are always connected"
_OWN = "a container has always one of its own"
_ADDRESSES = "addresses are what pasta or slirp4netns gives; --publish makes ports reachable"
_OTHERS = "kezuri knows of no other containers: publish ports, or share a directory with --volume"
_CGROUPS = "--memory, --memory-swap, --cpus, --cpu-shares and --pids-limit are there"
_BLOCK = "limits of block devices are not set; --memory, --cpus and --pids-limit are there"
_WINDOWS = "that is for containers of Windows"

ACCEPTED = (
    Option(("--annotation",), "repeated", "An annotation for the runtime", "KEY=VALUE", ignored=True),
    Option(("--detach-keys",), "text", "Keys that detach: nothing is detached", "KEYS", ignored=True),
    Option(("--disable-content-trust",), "flag", "Skip verification", ignored=True),
    Option(("--label", "-l"), "repeated", "A label: the container leaves nothing that carries it", "L", ignored=True),
    Option(("--label-file",), "repeated", "Labels from a file", "FILE", ignored=True),
    Option(("--log-driver",), "text", "Where logs go: they go to the caller's streams", "DRIVER", ignored=True),
    Option(("--log-opt",), "repeated", "Options of the log driver", "OPTION", ignored=True),
    Option(("--quiet", "-q"), "flag", "Accepted and ignored", ignored=True),
)


def _no(names: tuple[str, ...], metavar: str, why: str, harmless: tuple[str, ...] = ()) -> Option:
    return Option(names, "text" if metavar else "flag", names[0].lstrip("-"), metavar, refused=why, harmless=harmless)


ANSWERED = (
    _no(("--attach", "-a"), "STREAM", _INPUT),
    _no(("--blkio-weight",), "N", _BLOCK),
    _no(("--blkio-weight-device",), "WEIGHT", _BLOCK),
    _no(("--cgroup-parent",), "PATH", "groups are made below the one that kezuri is in: start kezuri in another"),
    _no(("--cgroupns",), "MODE", "a container sees this machine's control groups, read-only", ("", "host")),
    _no(("--cpu-count",), "N", _WINDOWS),
    _no(("--cpu-percent",), "N", _WINDOWS),
    _no(("--cpu-rt-period",), "MICROSECONDS", _CGROUPS),
    _no(("--cpu-rt-runtime",), "MICROSECONDS", _CGROUPS),
    _no(("--detach", "-d"), "", _BACKGROUND),
    _no(("--device-cgroup-rule",), "RULE", _DEVICES),
    _no(("--device-read-bps",), "LIMIT", _BLOCK),
    _no(("--device-read-iops",), "LIMIT", _BLOCK),
    _no(("--device-write-bps",), "LIMIT", _BLOCK),
    _no(("--device-write-iops",), "LIMIT", _BLOCK),
    _no(("--domainname",), "NAME", "a NIS domain is not set; --hostname is there, and may have dots"),
    _no(("--gpus",), "GPUS", _DEVICES),
    _no(("--io-maxbandwidth",), "BYTES", _WINDOWS),
    _no(("--io-maxiops",), "N", _WINDOWS),
    _no(("--ip",), "ADDRESS", _ADDRESSES),
    _no(("--ip6",), "ADDRESS", _ADDRESSES),
    _no(("--ipc",), "MODE", f"an IPC namespace: {_OWN}", ("", "private", "shareable")),
    _no(("--isolation",), "TECHNOLOGY", _WINDOWS, ("", "default")),
    _no(("--kernel-memory",), "BYTES", "kernels count it with --memory"),
    _no(("--link",), "CONTAINER", _OTHERS),
    _no(("--link-local-ip",), "ADDRESS", _ADDRESSES),
    _no(("--mac-address",), "ADDRESS", _ADDRESSES),
    _no(("--memory-reservation",), "BYTES", _CGROUPS),
    _no(("--memory-swappiness",), "N", _CGROUPS, ("-1",)),
    _no(("--network-alias", "--net-alias"), "NAME", _OTHERS),
    _no(("--oom-kill-disable",), "", "what uses more than --memory is killed"),
    _no(("--oom-score-adj",), "N", "that is the caller's: choom -n N -- kezuri run ...", ("0",)),
    _no(("--pid",), "MODE", f"a PID namespace: {_OWN}", ("", "private")),
    _no(("--privileged",), "", _PRIVILEGED),
    _no(("--restart",), "POLICY", _RESTART, ("", "no")),
    _no(("--storage-opt",), "OPTION", "what a container writes lies in the store; --tmpfs and --read-only bound it"),
    _no(("--sysctl",), "KEY=VALUE", "settings of the kernel are read-only in containers"),
    _no(("--use-api-socket",), "", "there is no daemon whose socket could be shown"),
    _no(("--userns",), "MODE", "root's containers are in this machine's, those of others in one of their own", ("",)),
    _no(("--uts",), "MODE", f"a UTS namespace: {_OWN}", ("", "private")),
    _no(("--volume-driver",), "DRIVER", "volumes are directories of the store", ("", "local")),
    _no(("--volumes-from",), "CONTAINER", _OTHERS),
)
