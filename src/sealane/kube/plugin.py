"""Credential plugins: a program of the user's (aws, gke-gcloud-auth-plugin, kubelogin) that prints a token.

The protocol is `client.authentication.k8s.io` v1 and v1beta1: the request travels in KUBERNETES_EXEC_INFO, the answer
is one JSON object on stdout. A plugin never gets our terminal, because several clusters ask at once and a browser or a
password prompt could not be answered; it is killed when it hangs. Its own stderr is the best explanation of a failure,
so its last line is passed on.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import os
import shlex
import signal
from asyncio.subprocess import DEVNULL, PIPE
from typing import Any

import msgspec

from sealane.kube.config import Context
from sealane.kube.credentials import ExecSpec
from sealane.kube.errors import UNREADABLE, ExecPluginFailed, ExecPluginMissing
from sealane.lib.errors import NextStep
from sealane.lib.text import duration

LIMIT = 60.0
MOST = 1024 * 1024  # bytes of an answer; a token has hundreds
WORDS = 64 * 1024  # bytes of stderr that are kept, from its end
LINGER = 1.0  # seconds for the end of stderr: a browser that the plugin opened holds it for hours


class Granted(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What a plugin gave. `expiration_timestamp` None means for as long as the server accepts it."""

    token: str = ""
    client_certificate_data: str = ""
    client_key_data: str = ""
    expiration_timestamp: datetime.datetime | None = None

    def __repr__(self) -> str:
        return f"Granted(expiration_timestamp={self.expiration_timestamp})"


class _Answer(msgspec.Struct, rename="camel"):
    api_version: str = ""
    kind: str = ""
    status: Granted | None = None


async def run(spec: ExecSpec, context: Context, *, limit: float = LIMIT) -> Granted:
    """Run the plugin once and read its answer, within `limit` seconds.

    `ExecPluginMissing` when the program is not there; `ExecPluginFailed` when it fails, hangs, needs a terminal or
    answers something else than an ExecCredential of the same version.
    """
    if spec.interactive_mode == "Always":
        step = NextStep(title="Sign in where it can ask", command=_whoami(context))
        raise _failed(spec, context, "always needs a terminal (interactiveMode: Always), which Sealane has not", step)
    process = await _start(spec, context)
    try:
        async with asyncio.timeout(limit):
            stdout, stderr = await _heard(process)
    except TimeoutError:
        raise _failed(spec, context, f"did not answer within {duration(limit)}") from None
    finally:
        await _end(process)
    if stdout is None:
        raise _failed(spec, context, f"answered more than {MOST:,} bytes, which no ExecCredential has")
    if process.returncode != 0:
        lines = stderr.decode("utf-8", "replace").strip().splitlines()
        said = f": {lines[-1].strip()[:300]}" if lines else " and said nothing"
        raise _failed(spec, context, f"failed with exit code {process.returncode}{said}")
    return _parse(spec, context, stdout)


async def _start(spec: ExecSpec, context: Context) -> asyncio.subprocess.Process:
    environ = {**os.environ, **dict(spec.env), "KUBERNETES_EXEC_INFO": exec_info(spec, context)}
    try:
        return await asyncio.create_subprocess_exec(
            spec.command,
            *spec.args,
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
            env=environ,
            start_new_session=True,
        )
    except FileNotFoundError as error:
        hint = " ".join(spec.install_hint.split())
        raise ExecPluginMissing(
            f"{context.name} signs in with the program {spec.command}, which is not installed.",
            file=spec.file,
            line=spec.line,
            step=NextStep(
                title=hint or "Install it, or add its folder to PATH", command=f"command -v {shlex.quote(spec.command)}"
            ),
        ) from error
    except OSError as error:
        raise _failed(spec, context, f"cannot be started ({(error.strerror or '').lower()})") from error


async def _heard(process: asyncio.subprocess.Process) -> tuple[bytes | None, bytes]:
    """All of stdout (None for too much of it) and the end of stderr; returns when the process has ended, or talked too
    much. A browser that it left open holds stderr, and is not waited for."""
    stdout, stderr = bytearray(), bytearray()
    answer = asyncio.ensure_future(_all(process.stdout, stdout))
    words = asyncio.ensure_future(_last(process.stderr, stderr))
    ended = asyncio.ensure_future(process.wait())
    try:
        await asyncio.wait({answer, ended}, return_when=asyncio.FIRST_COMPLETED)
        if len(stdout) <= MOST:
            await asyncio.wait({answer, words, ended}, timeout=LINGER)
        while process.returncode is None and len(stdout) <= MOST:
            await asyncio.wait({ended}, timeout=LINGER)
        return bytes(stdout) if len(stdout) <= MOST else None, bytes(stderr)
    finally:
        for task in (answer, words, ended):
            task.cancel()
        await asyncio.gather(answer, words, ended, return_exceptions=True)


async def _all(stream: asyncio.StreamReader | None, kept: bytearray) -> None:
    """Read into `kept` until the end, or until there is more than `MOST`."""
    while stream is not None and len(kept) <= MOST and (part := await stream.read(65536)):
        kept += part


async def _last(stream: asyncio.StreamReader | None, kept: bytearray) -> None:
    """Read to the end; `kept` holds the last `WORDS` bytes."""
    while stream is not None and (part := await stream.read(65536)):
        kept += part
        del kept[:-WORDS]


async def _end(process: asyncio.subprocess.Process) -> None:
    """Leave nothing running: the plugin and what it started are one process group."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    # There is no public way to let go of a pipe that is not read to its end; with one, `wait` may never return.
    process._transport.close()  # type: ignore[attr-defined]
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LINGER):
            await process.wait()


def exec_info(spec: ExecSpec, context: Context) -> str:
    """The JSON for KUBERNETES_EXEC_INFO. The cluster is in it only where the kubeconfig says provideClusterInfo."""
    inner: dict[str, Any] = {"interactive": False}
    if spec.provide_cluster_info:
        inner["cluster"] = {
            "server": context.server,
            **({"tls-server-name": context.tls_server_name} if context.tls_server_name else {}),
            **({"insecure-skip-tls-verify": True} if context.insecure else {}),
            **({"certificate-authority-data": context.ca_data} if context.ca_data else {}),
            **({"proxy-url": context.proxy_url} if context.proxy_url else {}),
            "config": None,
        }
    info = {"apiVersion": spec.api_version, "kind": "ExecCredential", "spec": inner}
    return msgspec.json.encode(info).decode()


def _parse(spec: ExecSpec, context: Context, stdout: bytes) -> Granted:
    try:
        answer = msgspec.json.decode(stdout, type=_Answer)
    except UNREADABLE as error:
        raise _failed(spec, context, "answered something that is no ExecCredential") from error
    if answer.kind != "ExecCredential" or answer.api_version != spec.api_version:
        got = f"{answer.kind or 'nothing'} of {answer.api_version or 'no version'}"
        raise _failed(spec, context, f"answered {got} where {spec.api_version} is configured")
    granted = answer.status
    if granted is None or not (granted.token or granted.client_certificate_data):
        raise _failed(spec, context, "gave neither a token nor a client certificate")
    if bool(granted.client_certificate_data) != bool(granted.client_key_data):
        raise _failed(spec, context, "gave a client certificate without its key, or a key without its certificate")
    return granted


def _failed(spec: ExecSpec, context: Context, why: str, step: NextStep | None = None) -> ExecPluginFailed:
    return ExecPluginFailed(
        f"{context.name}: the credential plugin {spec.command} {why}.",
        file=spec.file,
        line=spec.line,
        # The plugin's own arguments and environment may hold secrets, so they are not told; kubectl runs the same.
        step=step or NextStep(title="Let kubectl run it, and see what it says", command=_whoami(context)),
    )


def _whoami(context: Context) -> str:
    return context.target().kubectl("auth whoami")
