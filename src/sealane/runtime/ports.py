"""Listening sockets, taken before anything else starts, so that a port in use is one sentence that names its holder.

Port 0 picks a free one. The holder is read from /proc where the system has it and the user may look.
"""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

from sealane.lib.errors import Evidence, NextStep, SealaneError


class PortInUse(SealaneError):
    """Somebody else listens there."""

    code = "port-in-use"
    http_status = 409


class AddressUnusable(SealaneError):
    """The host or the port cannot be listened on."""

    code = "address-unusable"
    exit_code = 2


def listen(host: str, port: int, *, flag: str) -> socket.socket:
    """A listening TCP socket on `host:port`. `flag` is the option that would choose another port.

    Raises PortInUse or AddressUnusable.
    """
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (socket.gaierror, OverflowError) as error:
        raise AddressUnusable(f"The address {host}:{port} cannot be listened on: {error}.") from error
    sock = socket.socket(family, kind, proto)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind(address)
        sock.listen(2048)
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            raise _in_use(port, flag=flag) from error
        raise AddressUnusable(
            f"The address {host}:{port} cannot be listened on: {error.strerror}.",
            next_steps=(NextStep(title="Choose another", command=f"sealane up --host 127.0.0.1 {flag} 0"),),
        ) from error
    sock.setblocking(False)
    return sock


def port_of(sock: socket.socket) -> int:
    """The port that a socket got."""
    return int(sock.getsockname()[1])


def _in_use(port: int, *, flag: str) -> PortInUse:
    holder = holder_of(port)
    by = f" by {holder}" if holder else ""
    return PortInUse(
        f"Port {port} is already in use{by}.",
        evidence=(Evidence(label="holder", value=holder or "not visible to you", object=f"port/{port}"),),
        next_steps=(
            NextStep(title="Let Sealane pick a free port", command=f"sealane up {flag} 0"),
            NextStep(title="Or stop that process first"),
        ),
    )


def holder_of(port: int) -> str:
    """`name (process 123)` of whoever listens on `port`, "" when that cannot be seen."""
    inodes = _listening_inodes(port)
    if not inodes:
        return ""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and _holds(entry, inodes):
            name = (entry / "comm").read_text().strip()
            return f"{name} (process {entry.name})"
    return ""


def _listening_inodes(port: int) -> set[str]:
    inodes: set[str] = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            rows = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            cells = row.split()
            if cells[3] == "0A" and int(cells[1].rsplit(":", 1)[1], 16) == port:
                inodes.add(cells[9])
    return inodes


def _holds(process: Path, inodes: set[str]) -> bool:
    wanted = {f"socket:[{inode}]" for inode in inodes}
    try:
        return any(os.readlink(link) in wanted for link in (process / "fd").iterdir())
    except OSError:
        return False
