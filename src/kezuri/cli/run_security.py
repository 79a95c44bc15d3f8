"""`--cap-add`, `--cap-drop` and `--security-opt` of `kezuri run`."""

from typing import NamedTuple

from kezuri.cli.options import Parsed, UsageError
from kezuri.diagnostics import nearest
from kezuri.linux.privileges import CAPABILITIES
from kezuri.scalars import parse_bool


class Security(NamedTuple):
    """What the options say: no set-id programs, no system call filter."""

    no_new_privileges: bool = False
    unfiltered: bool = False


def capabilities(name: str, parsed: Parsed) -> tuple[str, ...]:
    """The capabilities of a repeated option, without CAP_, in capitals; ALL is one."""
    found = []
    for text in parsed.all(name):
        for word in text.split(","):
            capability = word.strip().upper().removeprefix("CAP_")
            if capability not in CAPABILITIES and capability != "ALL":
                guess = nearest(capability, (*CAPABILITIES, "ALL"))
                hint = f"did you mean {guess}?" if guess else "capabilities(7) lists them; ALL is every one"
                raise UsageError.because(f"{name} {text}: there is no capability {word!r}", hint)
            found.append(capability)
    return tuple(dict.fromkeys(found))


def security(parsed: Parsed) -> Security:
    """What the `--security-opt` ask for; UsageError naming one that cannot be had."""
    made = Security()
    for text in parsed.all("--security-opt"):
        key, sign, value = text.partition("=" if "=" in text else ":")
        match key:
            case "no-new-privileges":
                truth = parse_bool(value) if sign else True
                if truth is None:
                    raise UsageError.because(f"--security-opt {text}: no-new-privileges is true or false")
                made = made._replace(no_new_privileges=truth)
            case "seccomp" if value in ("unconfined", "builtin"):
                made = made._replace(unfiltered=value == "unconfined")
            case "seccomp":
                raise UsageError.because(
                    f"--security-opt {text}: profiles in files are not supported", "builtin and unconfined are there"
                )
            case "apparmor" if value != "unconfined":
                raise UsageError.because(
                    f"--security-opt {text}: kezuri sets no AppArmor profile", f"aa-exec -p {value} kezuri run ..."
                )
            case "label" if value != "disable":
                raise UsageError.because(f"--security-opt {text}: kezuri sets no SELinux labels")
            case "apparmor" | "label":
                pass  # so it is
            case "systempaths":
                raise UsageError.because(f"--security-opt {text}: parts of /proc and /sys are always covered")
            case _:
                raise UsageError.because(
                    f"--security-opt {text!r} is not supported",
                    "no-new-privileges, seccomp=unconfined, apparmor=unconfined and label=disable are there",
                )
    return made
