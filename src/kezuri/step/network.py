"""Whether a command failed by the network alone, as far as the last lines of its output tell."""

import re

from kezuri.step.task import Failure

_ALWAYS = r"""
    Temporary[ ]failure[ ](in[ ]name[ ]resolution|resolving)
  | Connection[ ](reset[ ]by[ ]peer|timed[ ]out|reset$)
  | (Operation|connection|Read|Connect|Request|Resolving|Download)[ ]timed[ ]out
  | Network[ ]is[ ]unreachable | No[ ]route[ ]to[ ]host
  | (Could[ ]not|Couldn't|unable[ ]to|Failed[ ]to)[ ]resolve[ ](host|'|address|proxy)
  | \b(ECONNRESET|ETIMEDOUT|ESOCKETTIMEDOUT|EAI_AGAIN|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT)\b
  | TLS[ ]handshake[ ]timeout | \bi/o[ ]timeout | unexpected[ ]EOF[ ]while[ ]reading
  | (ReadTimeoutError|ConnectTimeoutError|NewConnectionError|ConnectionResetError|IncompleteRead)\b
  | [Tt]he[ ]remote[ ]end[ ]hung[ ]up[ ]unexpectedly | \bearly[ ]EOF\b
"""
"""What system calls, resolvers and TLS say, whoever prints it."""

_CLIENTS = r"""
    curl:[ ]\((5|6|7|16|18|28|35|52|55|56|92)\)
  | wget:[ ](bad[ ]address|download[ ]timed[ ]out|can't[ ]connect[ ]to[ ]remote[ ]host)
  | (temporary|network)[ ]error[ ]\((try[ ]again[ ]later|check[ ]Internet) | DNS:[ ]transient[ ]error
  | Could[ ]not[ ]connect[ ]to | Error[ ]reading[ ]from[ ]server | Unable[ ]to[ ]connect[ ]to
  | npm[ ](ERR!|error)[ ]code[ ](E50[0234]|E429|ENOTFOUND|ECONNREFUSED)
  | ERR_PNPM_(FETCH_5\d\d|META_FETCH_FAIL) | trouble[ ]with[ ]your[ ]network[ ]connection
  | dial[ ]tcp\b.*(no[ ]such[ ]host|server[ ]misbehaving|connection[ ]refused)
  | \[(6|7|28|35|52|55|56)\][ ](Could|Couldn't|Timeout|SSL|Server|Failed|Failure) | spurious[ ]network[ ]error
  | RPC[ ]failed;[ ](curl|HTTP)[ ]
  | ssh:[ ](connect[ ]to[ ]host|Could[ ]not[ ]resolve)
"""
"""What clients say in words of their own: curl, wget, apk, apt, npm, pnpm, yarn, go, cargo, git, ssh."""

_STATUS = r"""
    (returned[ ]error:|status[ ]code:?|HTTP/[\d.]+|HTTP[ ]error|HTTP[ ]response[ ].*got|E:.*)[ :]*[ ](429|50[0234])\b
  | ERROR[ ](429|50[0234]):
  | \b(429[ ]+Too[ ]Many[ ]Requests|502[ ]+Bad[ ]Gateway|503[ ]+Service[ ](Temporarily[ ])?Unavailable
      |504[ ]+Gateway[ ]Time-?out|50[0234][ ]Server[ ]Error)
"""
"""Answers of servers that may be others the next time."""

_SIGNS = re.compile(f"(?i:{_ALWAYS})|{_CLIENTS}|{_STATUS}", re.VERBOSE)
_HERE = re.compile(r"\blocalhost\b|\b127\.\d+\.\d+\.\d+|\[::1\]|\b0\.0\.0\.0\b")
_LONGEST = 160


def network_failure(failure: Failure) -> str:
    """The line of the output that says that the network failed; empty where something else made the command fail, or
    nobody can tell. A connection within the machine is no network, and a certificate that is not trusted stays so."""
    lasting = failure.intercepted or failure.oom or failure.disk_full or failure.signal
    if lasting or failure.exit_code in (126, 127):
        return ""
    for line in failure.output.split("\n"):
        if _SIGNS.search(line) and not _HERE.search(line):
            line = line.strip()
            return line if len(line) <= _LONGEST else line[:_LONGEST] + "…"
    return ""
