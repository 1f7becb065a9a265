"""`sealane health fetch`: the forge's half and git's half of a project, then its verdict, kept for offline use.

A budget that is spent ends the forge's half only: git needs none, so the mirror is made all the same and the error is
told at the end. The token is read from the environment here and handed to the two that need it; an address that is not
GitHub's own gets only a token that was named for it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from sealane.lib.clock import SYSTEM, Clock
from sealane.lib.errors import NextStep, UsageError

if TYPE_CHECKING:
    from sealane.health.sources.githubapi import GitHubApi
    from sealane.health.sources.rawstore import Store
    from sealane.health.sources.steps import Step

QUIET = 3.0
"""Seconds before progress is shown: what is done by then needs no words."""
PUBLIC = "https://api.github.com"


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """Progress as the command line shows it; `progress` 0-1 or None."""

    stage: str
    sentence: str
    progress: float | None
    seconds: float


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for. `token_env` names a variable, `git_url` another place of the history, `wait` seconds."""

    repository: str
    token_env: str = ""
    api: str = PUBLIC
    git_only: bool = False
    git_url: str = ""
    wait: float = 0.0


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """What is here now, what it cost, and the verdict ("" where nothing can be judged yet)."""

    repository: str
    state: str
    sentence: str
    as_of: str
    calls: int
    points: int
    waited: float
    left: dict[str, int]
    problems: tuple[str, ...]


async def fetch(wish: Wish, *, data_dir: Path | None, show: Callable[[Stage], None], clock: Clock = SYSTEM) -> Fetched:
    """Fetch or renew a project. Raises UsageError, FetchBusy, DataDirUnusable and the errors of its sources."""
    from sealane.health import desk, fetched
    from sealane.health.sources import rawstore
    from sealane.runtime import datadir

    source = desk.parse(wish.repository)
    if source.kind != "forge":
        raise UsageError(f"{wish.repository[:200]!r} is read where it lies; owner/name is fetched.")
    where = datadir.prepare(data_dir or datadir.default_path())
    wish = msgspec.structs.replace(wish, repository=source.name)
    try:
        with rawstore.only_one(fetched.raw_root(where), wish.repository):
            return await _fetch(wish, where, _late(show, clock), clock)
    except OSError as error:
        raise datadir.unusable(where, error) from error


async def _fetch(wish: Wish, where: Path, said: Callable[[Step], None], clock: Clock) -> Fetched:
    from sealane.health import fetched
    from sealane.health.errors import ForgeLimited, SourceBroken
    from sealane.health.sources import rawstore

    token = token_of(wish, os.environ)
    store: Store | None = None
    limited: ForgeLimited | None = None
    spent = _Spent()
    if not wish.git_only:
        try:
            store = await _forge(wish, token, fetched.raw_root(where), said, clock, spent)
        except ForgeLimited as error:
            limited, store = error, rawstore.find(fetched.raw_root(where), wish.repository)
            if store is None:
                raise
    if store is None:
        facts = rawstore.RepoFacts(repository=wish.repository, id=0, url="")
        store = rawstore.claim(fetched.raw_root(where), facts, api="", asked=wish.repository)
    problems = []
    try:
        await _history(wish, token, where, store, said, clock)
    except SourceBroken as error:  # an empty repository has issues too
        if wish.git_only:
            raise
        problems.append(error.sentence)
    verdict = await asyncio.to_thread(_judge, where, store, int(clock.now().timestamp()))
    if limited is not None:
        raise limited
    state, sentence, as_of = verdict
    return Fetched(
        repository=store.state.facts.repository, state=state, sentence=sentence, as_of=as_of, calls=spent.calls,
        points=spent.points, waited=spent.waited, left=spent.left, problems=tuple(problems),
    )  # fmt: skip


class _Spent:
    """What the forge's half cost."""

    def __init__(self) -> None:
        self.calls = self.points = 0
        self.waited = 0.0
        self.left: dict[str, int] = {}

    def take(self, api: GitHubApi) -> None:
        self.calls, self.points, self.waited = api.calls, api.points, api.waited
        self.left = {name: budget.remaining for name, budget in api.budgets.items()}


async def _forge(
    wish: Wish, token: str, root: Path, said: Callable[[Step], None], clock: Clock, spent: _Spent
) -> Store:
    import aiohttp

    from sealane.health.sources import github
    from sealane.health.sources.githubapi import GitHubApi

    local = urlsplit(wish.api).hostname in {"127.0.0.1", "::1", "localhost"}
    async with aiohttp.ClientSession(trust_env=not local, cookie_jar=aiohttp.DummyCookieJar()) as session:
        api = GitHubApi(session, base=wish.api, token=token, clock=clock, wait_limit=wish.wait, said=said)
        try:
            return await github.fetch(root, wish.repository, api, clock=clock, said=said)
        finally:
            spent.take(api)


async def _history(
    wish: Wish, token: str, where: Path, store: Store, said: Callable[[Step], None], clock: Clock
) -> None:
    from sealane.health import fetched
    from sealane.health.sources import mirror, rawstore

    facts = store.state.facts
    path = fetched.mirror_path(where, facts.repository)
    for name in store.state.also:
        before = fetched.mirror_path(where, name)
        taken = (fetched.raw_root(where) / rawstore.slug(name)).exists()  # by another repository
        if not path.exists() and before.is_dir() and not taken:
            before.rename(path)
    url = wish.git_url or f"{web_of(wish.api)}/{facts.repository}.git"
    began = int(clock.now().timestamp())
    await mirror.fetch(url, path, clock=clock, token="" if wish.git_url else token, said=said)
    store.keep(msgspec.structs.replace(store.state, git_url=url, git_at=began))


def _judge(where: Path, store: Store, now: int) -> tuple[str, str, str]:
    from sealane.health import bots, fetched

    if fetched.find(where, store.state.facts.repository) is None:
        return "", "", ""
    assessed = fetched.assess(where, store, as_of=None, window=365, now=now, rules=bots.KNOWN)
    fetched.keep(store, assessed)
    return assessed.verdict.state, assessed.verdict.sentence, str(assessed.report["as_of"])


def token_of(wish: Wish, environ: os._Environ[str] | dict[str, str]) -> str:
    """The token that may be used; "" for none. Raises UsageError where a named variable is empty."""
    if wish.token_env:
        found = environ.get(wish.token_env, "").strip()
        if not found:
            raise UsageError(
                f"The variable {wish.token_env[:80]} holds no token.",
                next_steps=(NextStep(title="Leave --token-env out to ask without one"),),
            )
        return found
    names = ("SEALANE_GITHUB_TOKEN", "GITHUB_TOKEN") if wish.api.rstrip("/") == PUBLIC else ("SEALANE_GITHUB_TOKEN",)
    return next((found for name in names if (found := environ.get(name, "").strip())), "")


def web_of(api: str) -> str:
    """Where the repositories of an API are fetched by git."""
    parts = urlsplit(api)
    return "https://github.com" if api.rstrip("/") == PUBLIC else f"https://{parts.netloc}"


def _late(show: Callable[[Stage], None], clock: Clock) -> Callable[[Step], None]:
    begin = clock.monotonic()

    def said(step: Step) -> None:
        seconds = clock.monotonic() - begin
        if seconds > QUIET or step.stage == "Waiting":
            show(Stage(stage=step.stage, sentence=step.sentence, progress=step.progress, seconds=seconds))

    return said
