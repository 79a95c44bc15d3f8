"""How the failure of a command is told: its exit code, the last lines of its output, and what to do."""

import re

from kezuri.diagnostics import Diagnostic, KezuriError, Place
from kezuri.step.task import Failure


class StepFailed(KezuriError):
    """A command has failed. `left` names what it left, `ended` is its exit code (see `kezuri.step.task.Failure`)."""

    left: str = ""
    ended: int = 0


def step_failed(command: str, failure: Failure, gave_up: str = "", place: Place | None = None) -> StepFailed:
    """The error of a RUN that ended badly, which stands at `place`. `gave_up` is an earlier step in which a client gave
    up on the network and which claims success, empty where there was none."""
    hints = []
    if failure.disk_full:
        hints.append(
            "no space left on the device of the store: `kezuri prune` frees what the cache can spare,\n"
            "`--root DIR` puts the store on another disk"
        )
    if gave_up and not failure.bundle and not failure.intercepted:
        hints.append(
            f"an earlier step gave up without saying so ({gave_up}): where the network answers HTTPS with a\n"
            "certificate of its own authority, the ca-certificates setting (--ca-certificates FILE) mends that"
        )
    if failure.intercepted:
        if failure.bundle:
            hints.append(
                "a client in this step does not trust the server's certificate, although a bundle was given by the\n"
                "ca-certificates setting: this client may read another variable, or the bundle lacks the authority"
            )
        else:
            hints.append(
                "the network answers HTTPS with a certificate of its own authority, which the image does not know:\n"
                "give its PEM file with the ca-certificates setting (--ca-certificates FILE, KEZURI_CA_CERTIFICATES,\n"
                "or ca-certificates in the config file); it reaches the step and never the image"
            )
    if failure.unprivileged:
        hints.append(
            "set-id programs give nothing in this build: by `--security-opt no-new-privileges`, or because kezuri was\n"
            "started that way (systemd NoNewPrivileges=, Kubernetes allowPrivilegeEscalation: false)"
        )
    if failure.network and not failure.intercepted:
        if failure.tries > 1:
            hints.append(f"the network failed this step {failure.tries} times: {failure.network}")
        else:
            hints.append("the network failed this step: `--retry-network N` runs such a step again, N times at most")
    if failure.oom:
        hints.append(_out_of_memory(failure))
    elif failure.signal == 9 or failure.exit_code == 137:
        hints.append("a process of the step was killed by SIGKILL; memory running out is the usual cause")
    if failure.exit_code == 126 and failure.output.rstrip().endswith("Operation not permitted"):
        hints.append(
            "the program names a capability that this step does not have (ping: cap_net_raw, which steps of root lack\n"
            "on the machine's network): `--security-opt no-new-privileges` starts it without"
        )
    elif failure.cause:
        hints.append(failure.cause + _user_line(failure.cause, place))
    elif failure.exit_code == 127:
        hints.append("exit code 127: the command, or something that it starts, was not found in the image")
    elif failure.exit_code == 126:
        hints.append("exit code 126: the command cannot be executed (its mode, its format or its interpreter)")
    message = f'process "{command}" did not complete successfully: exit code: {failure.exit_code}'
    error = StepFailed(Diagnostic("error", message, hint="\n".join(hints), output=failure.output))
    error.left = failure.left
    error.ended = failure.exit_code
    return error


def _out_of_memory(failure: Failure) -> str:
    less = "or let it do less at once (make -j1, NODE_OPTIONS=--max-old-space-size=N)"
    if not failure.peak:
        have = f" ({failure.memory >> 20} MiB can be had here)" if failure.memory else ""
        return f"the kernel killed the step because memory ran out{have}:\ngive the machine more, {less}"
    return (
        f"the kernel killed a process of the step for memory: its peak was {failure.peak >> 20} MiB,\n"
        f"its limit (--memory) is {failure.memory >> 20} MiB: raise it,\n{less}"
    )


def _user_line(cause: str, place: Place | None) -> str:
    """Which line made the user that the cause speaks of, where the stage has such a line."""
    from kezuri.step.cause import USER

    if place is None or USER not in cause:
        return ""
    above = place.source.text[: place.span.start].split("\n")
    for number in range(len(above), 0, -1):
        if re.match(r"\s*USER\s", above[number - 1], re.IGNORECASE):
            return f" (line {number}: {above[number - 1].strip()})"
        if re.match(r"\s*FROM\s", above[number - 1], re.IGNORECASE):
            break
    return " (the base image has this user)"
