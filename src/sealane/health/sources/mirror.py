"""A bare copy of a repository's history on this computer: all commits, trees and pull request heads, no file contents.

Git itself fetches, into a folder of our own, over the one protocol that the address names, and asks nobody anything.
The default branch and tags come first and pull request heads after them, so that a fetch that is cut off has brought
something and the next one is short. Of file contents only the versions of ownership files are fetched, all at once, so
that reading needs no network. A force-pushed branch is taken as it is now.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import re
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from sealane.health import errors, ownerfiles
from sealane.health.sources.steps import Said, Step, silent
from sealane.lib.clock import Clock
from sealane.lib.errors import UsageError

HELD = "sealane-owner-files"
LIMIT = 3600.0
"""Seconds for one run of git."""
_HOST = re.compile(r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$|^\[[0-9A-Fa-f:]+\]$")
_PATH = re.compile(r"^/[A-Za-z0-9._~/%+@-]+$")
_PERCENT = re.compile(rb"(\w[\w ]+): +(\d+)% ")
_HISTORY = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
_PULLS = ("+refs/pull/*/head:refs/pull/*/head",)
_SETTINGS = (
    "protocol.allow=never", "core.hooksPath=/dev/null", "core.fsmonitor=false", "gc.auto=0", "maintenance.auto=false",
    "fetch.recurseSubmodules=false", "core.askPass=", "http.lowSpeedLimit=1000", "http.lowSpeedTime=60",
    "core.quotePath=false",
)  # fmt: skip


def checked(url: str) -> str:
    """The address as given where git may be sent there. Raises UsageError with the forms that are understood."""
    parts = urlsplit(url)
    user = parts.username is None or (parts.scheme == "ssh" and re.fullmatch(r"[A-Za-z0-9._]+", parts.username))
    host = (
        not parts.netloc if parts.scheme == "file" else _HOST.match(parts.netloc.rpartition("@")[2].partition(":")[0])
    )
    fine = parts.scheme in {"https", "ssh", "file"} and bool(host) and bool(user) and parts.password is None
    if (
        fine
        and not re.search(r"[\s\x00-\x1f]", url)
        and _valid_port(parts)
        and _PATH.match(parts.path)
        and not parts.query
        and not parts.fragment
    ):
        return url
    raise UsageError(
        f"{url[:200]!r} is no address that git is sent to: it looks like https://HOST/OWNER/NAME, ssh://git@HOST/OWNER/NAME"
        " or file:///PATH, without a password in it."
    )


def _valid_port(parts: SplitResult) -> bool:
    try:
        return parts.port is None or parts.port > 0
    except ValueError:
        return False


async def fetch(
    url: str, path: Path, *, clock: Clock, token: str = "", limit: float = LIMIT, said: Said = silent
) -> Path:
    """Make or renew the mirror at `path` and give it back. Raises UsageError, SourceMissing or ForgeUnreachable.

    `token` goes to this address only, in git's environment, never on a command line or into the mirror.
    """
    git = _Git(checked(url), path, clock=clock, token=token, limit=limit, said=said)
    if not (path / "HEAD").is_file():
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        await git.run("init", "--quiet", "--bare", ".")
    for name, value in (("remote.origin.url", url), ("remote.origin.promisor", "true"),
                        ("remote.origin.partialclonefilter", "blob:none")):  # fmt: skip
        await git.run("config", name, value)
    head = await _default_branch(git)
    await git.pull("History", *_HISTORY)
    await git.run("symbolic-ref", "HEAD", head) if head.startswith("refs/") else await git.run(
        "update-ref", "--no-deref", "HEAD", head
    )
    await git.pull("Pull requests", *_PULLS)
    await _owner_files(git)
    return path


async def _default_branch(git: _Git) -> str:
    """The reference that the remote's HEAD names, or its commit where it names none."""
    text = await git.run("ls-remote", "--symref", "origin", "HEAD")
    commit = ""
    for line in text.splitlines():
        first, _, name = line.partition("\t")
        if name == "HEAD" and first.startswith("ref: refs/heads/"):
            return first.removeprefix("ref: ")
        commit = first if name == "HEAD" else commit
    if not commit:
        raise errors.SourceBroken(f"{git.url} is empty: it has no commit on a default branch.")
    return commit


async def _owner_files(git: _Git) -> None:
    """Every version of every ownership file that is not here yet, in one request."""
    patterns = [f":(glob)**/{name}" for name in ownerfiles.NAMES] + [":(glob)MAINTAINERS*", ":(glob)*/MAINTAINERS*"]
    raw = await git.run("log", "--raw", "--no-abbrev", "--no-renames", "--format=", "HEAD", "--", *patterns)
    blobs = {line.split()[3] for line in raw.splitlines() if line.startswith(":")}
    wanted = sorted(blob for blob in blobs if blob.strip("0"))
    if not wanted:
        return
    # Asking git which are missing would make it fetch them one by one, so what was fetched is on record here.
    record = git.path / HELD
    held = set(record.read_text().split()) if record.is_file() else set()
    missing = [blob for blob in wanted if blob not in held]
    for start in range(0, len(missing), 5000):
        part = missing[start : start + 5000]
        await git.online("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--filter=blob:none", "--stdin",
                         "origin", feed="\n".join(part) + "\n")  # fmt: skip
    record.write_text("\n".join(sorted(held.union(wanted))))


class _Git:
    """Git in one mirror; `run` is offline but for ls-remote, `online` may reach the address."""

    def __init__(self, url: str, path: Path, *, clock: Clock, token: str, limit: float, said: Said) -> None:
        self.url = url
        self.path = path
        self._clock = clock
        self._limit = limit
        self._said = said
        self._scheme = urlsplit(url).scheme
        self._environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_SSH_COMMAND": "ssh -oBatchMode=yes -oConnectTimeout=30",
            "GCM_INTERACTIVE": "never",
            "GIT_NO_LAZY_FETCH": "1",
            "LC_ALL": "C.UTF-8",
            **_secret(url, token),
        }

    async def pull(self, what: str, *refspecs: str) -> None:
        """Fetch references, saying what git says."""
        await self.online("fetch", "--progress", "--prune", "--no-tags", "--force", "--filter=blob:none", "origin",
                          *refspecs, what=what)  # fmt: skip

    async def online(self, *arguments: str, feed: str = "", what: str = "") -> str:
        """A command that may reach the address, over its protocol alone."""
        return await self._git(("-c", f"protocol.{self._scheme}.allow=always"), arguments, feed=feed, what=what)

    async def run(self, *arguments: str, feed: str = "") -> str:
        """A command's output."""
        if arguments[0] == "ls-remote":
            return await self.online(*arguments)
        return await self._git((), arguments, feed=feed, what="")

    async def _git(self, more: Sequence[str], arguments: Sequence[str], *, feed: str, what: str) -> str:
        binary = shutil.which("git")
        if binary is None:
            raise errors.SourceMissing("git is not installed.")
        settings = [part for setting in _SETTINGS for part in ("-c", setting)]
        process = await asyncio.create_subprocess_exec(
            binary, "--no-pager", *settings, *more, "-C", str(self.path), *arguments,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env=self._environ, start_new_session=True,
        )  # fmt: skip
        talking = asyncio.ensure_future(self._talk(process, feed, what))
        sleeping = asyncio.ensure_future(self._clock.sleep(self._limit))
        try:
            await asyncio.wait({talking, sleeping}, return_when=asyncio.FIRST_COMPLETED)
            if not talking.done():
                raise errors.ForgeUnreachable(
                    f"git did not finish within {self._limit:g} s with {self.url}. Fetch again; it goes on."
                )
            output, complaint = talking.result()
        finally:
            sleeping.cancel()
            await _ended(process, talking, sleeping)
        if process.returncode != 0:
            raise self._failed(complaint)
        return output.decode("utf-8", "surrogateescape")

    async def _talk(self, process: asyncio.subprocess.Process, feed: str, what: str) -> tuple[bytes, bytes]:
        async with asyncio.TaskGroup() as group:
            output = group.create_task(_read(process.stdout))
            complaint = group.create_task(self._listen(process.stderr, what))
            if process.stdin is not None:
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    process.stdin.write(feed.encode())
                    await process.stdin.drain()
                process.stdin.close()
        await process.wait()
        return output.result(), complaint.result()

    async def _listen(self, stream: asyncio.StreamReader | None, what: str) -> bytes:
        """Git's words on stderr; the last kilobytes of them, and progress as it comes."""
        tail = b""
        while stream is not None and (part := await stream.read(1 << 14)):
            tail = (tail + part)[-8192:]
            found = _PERCENT.findall(part) if what else []
            if found:
                doing, percent = found[-1]
                words = doing.decode("utf-8", "replace").strip().lower()
                self._said(Step(stage=what, sentence=f"{words}, {int(percent)} %.", progress=int(percent) / 100))
        return tail

    def _failed(self, complaint: bytes) -> errors.ForgeUnreachable:
        lines = [line for line in complaint.decode("utf-8", "replace").strip().splitlines() if "hint:" not in line]
        fatal = next((line for line in lines if line.startswith("fatal:")), lines[-1] if lines else "no reason given")
        return errors.ForgeUnreachable(f"git could not fetch {self.url}: {fatal.removeprefix('fatal: ')[:300]}.")


async def _read(stream: asyncio.StreamReader | None) -> bytes:
    return b"" if stream is None else await stream.read()


async def _ended(process: asyncio.subprocess.Process, *tasks: asyncio.Future[Any]) -> None:
    """Git and its helpers are gone, however it went."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGTERM)
        await process.wait()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _secret(url: str, token: str) -> dict[str, str]:
    """Settings that carry the token to this address alone; with it no redirect is followed."""
    parts = urlsplit(url)
    if not token or parts.scheme != "https":
        return {}
    basic = base64.b64encode(f"x-access-token:{token}".encode()).decode()
    return {
        "GIT_CONFIG_COUNT": "2",
        "GIT_CONFIG_KEY_0": f"http.https://{parts.netloc}/.extraHeader",
        "GIT_CONFIG_VALUE_0": f"Authorization: Basic {basic}",
        "GIT_CONFIG_KEY_1": "http.followRedirects",
        "GIT_CONFIG_VALUE_1": "false",
    }
