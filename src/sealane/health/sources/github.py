"""A repository's issues, pull requests and answers from GitHub, page by page into the raw store.

With a token GraphQL brings a hundred items and their answers for a point; without one, REST lists of the whole
repository do, sixty calls an hour, and reviews and who merged stay unknown. What is asked next stands in the state
after every page, so a fetch that ends anywhere goes on there. A second fetch asks for what changed since the first
began. Comments on lines come by REST in both modes, because GraphQL would charge a point for each hundred reviews.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from sealane.health import errors
from sealane.health.sources import githubqueries as queries
from sealane.health.sources import rawstore
from sealane.health.sources.githubapi import GitHubApi, TooHeavy
from sealane.health.sources.rawstore import Pass, RepoFacts, State, Store
from sealane.health.sources.steps import Said, Step, silent
from sealane.lib.clock import Clock
from sealane.lib.errors import NextStep

PAGE = 100
SMALLEST = 5
OVERLAP = 300
"""Seconds that a second fetch looks back behind the begin of the first, for clocks that differ."""
TOGETHER = 25
LISTS = {"graphql": ("issues", "pulls", "inline"), "rest": ("items", "comments", "inline")}
_PATHS = {"items": "/issues", "comments": "/issues/comments", "inline": "/pulls/comments"}
_SAY = {
    "issues": "issues",
    "pulls": "pull requests",
    "inline": "comments on lines",
    "items": "issues and pull requests",
}


async def fetch(root: Path, repository: str, api: GitHubApi, *, clock: Clock, said: Said = silent) -> Store:
    """Bring the store of `owner/name` up to date and give it back. Raises Forge… errors; what was fetched is kept."""
    facts = await _facts(api, repository)
    store = rawstore.claim(root, facts, api=api.base, asked=repository)
    sync = _Sync(store, api, said)
    await sync.run(now=int(clock.now().timestamp()))
    return store


async def _facts(api: GitHubApi, repository: str) -> RepoFacts:
    owner, _, name = repository.partition("/")
    if api.anonymous:
        answer = await api.rest(f"/repos/{owner}/{name}")
        if answer.status != 200:
            raise _gone(repository, answer.status, api)
        return _rest_facts(answer.json(dict[str, Any]))
    data, faults = await _whole(api, queries.FACTS, {"owner": owner, "name": name})
    found = data.get("repository")
    if not found:
        blocked = any("451" in str(fault) or "unavailable" in str(fault.get("message", "")).lower() for fault in faults)
        refused = any(fault.get("type") == "FORBIDDEN" for fault in faults)
        raise _gone(repository, 451 if blocked else 403 if refused else 404, api)
    return RepoFacts(
        repository=_name(found.get("nameWithOwner")),
        id=int(found["databaseId"]),
        url=_link(found.get("url")),
        archived=bool(found.get("isArchived")),
        archived_at=seconds(found.get("archivedAt")),
        fork=bool(found.get("isFork")),
        mirror_of=str(found.get("mirrorUrl") or ""),
        private=bool(found.get("isPrivate")),
        empty=bool(found.get("isEmpty")),
        has_issues=bool(found.get("hasIssuesEnabled", True)),
        issues=(found.get("issues") or {}).get("totalCount"),
        pulls=(found.get("pullRequests") or {}).get("totalCount"),
    )


async def _whole(
    api: GitHubApi, query: str, variables: Mapping[str, Any]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A query that cannot be made smaller."""
    for _ in range(3):
        try:
            return await api.graphql(query, variables)
        except TooHeavy as error:
            last = error
    raise errors.ForgeUnreachable(f"GitHub gave up on a query three times ({last}).")


def _rest_facts(found: Mapping[str, Any]) -> RepoFacts:
    return RepoFacts(
        repository=_name(found.get("full_name")),
        id=int(found["id"]),
        url=_link(found.get("html_url")),
        archived=bool(found.get("archived")),
        fork=bool(found.get("fork")),
        mirror_of=str(found.get("mirror_url") or ""),
        private=bool(found.get("private")),
        empty=found.get("size") == 0,
        has_issues=bool(found.get("has_issues", True)),
    )


def _name(given: object) -> str:
    if isinstance(given, str) and rawstore.NAME.match(given):
        return given
    raise errors.ForgeUnreachable("GitHub gave a repository without a name that can be.")


def _link(given: object) -> str:
    """An address that may stand on a page: what an API says could be a script."""
    fine = isinstance(given, str) and given.startswith("https://") and given.isprintable() and len(given) < 500
    return str(given) if fine else ""


def _gone(repository: str, status: int, api: GitHubApi) -> errors.ForgeRefused:
    if status == 451:
        return errors.ForgeRefused(f"GitHub does not show {repository}, for legal reasons (status 451).")
    if status == 403:
        return errors.ForgeRefused(f"The token may not read {repository}.")
    steps = () if not api.anonymous else (NextStep(title="For a private one give a token in GITHUB_TOKEN"),)
    return errors.ForgeRefused(f"{repository} does not exist, or is private and not shown to us.", next_steps=steps)


class _Sync:
    """One pass over all lists."""

    def __init__(self, store: Store, api: GitHubApi, said: Said) -> None:
        self._store = store
        self._api = api
        self._said = said
        self._size = PAGE
        self._got = 0

    async def run(self, *, now: int) -> None:
        """Go on with the pass that was left, or begin one, to its end."""
        mode = "rest" if self._api.anonymous else "graphql"
        running = _next_pass(self._state, mode, now=now)
        self._store.keep(msgspec.structs.replace(self._state, running=running))
        for name in LISTS[mode]:
            if name in self._pass.done:
                continue
            self._got = 0
            await (self._rest(name) if name in _PATHS else self._graphql(name))
        done, state = self._pass, self._state
        full = state.full if done.since is not None and mode not in state.full else tuple({*state.full, mode})
        self._store.keep(msgspec.structs.replace(state, taken_at=done.started, running=None, full=tuple(sorted(full))))

    @property
    def _state(self) -> State:
        return self._store.state

    @property
    def _pass(self) -> Pass:
        running = self._store.state.running
        assert running is not None  # noqa: S101 - only between begin and end of `run`
        return running

    def _moved(self, name: str, *, cursor: str = "", end: bool = False) -> Pass:
        running = self._pass
        return msgspec.structs.replace(
            running,
            cursors=running.cursors | {name: cursor},
            done=(*running.done, name) if end else running.done,
        )

    def _say(self, name: str, total: int | None) -> None:
        words = _SAY.get(name, name)
        budget = self._api.budgets.get("core" if name in _PATHS else "graphql")
        left = f"; {budget.remaining:,} of {budget.limit:,} left this hour" if budget else ""
        known = total if self._pass.since is None and total else None
        share = min(1.0, self._got / known) if known else None
        of = f" of {known:,}" if known else ""
        self._said(Step(stage="Fetching", sentence=f"{self._got:,}{of} {words}{left}.", progress=share))

    # GraphQL ---------------------------------------------------------------------------------------------------------

    async def _graphql(self, name: str) -> None:
        since, facts = self._pass.since, self._state.facts
        query = (queries.issues if name == "issues" else queries.pulls)(changed=since is not None)
        kind = "issue" if name == "issues" else "pull"
        total = facts.issues if name == "issues" else facts.pulls
        while True:
            page, missing = await self._page(query, self._pass.cursors.get(name) or None, since)
            nodes = [node for node in page["nodes"] if node is not None]
            fresh = nodes if since is None else [node for node in nodes if (seconds(node["updatedAt"]) or 0) >= since]
            await self._complete(kind, fresh)
            info = page["pageInfo"]
            end = not info["hasNextPage"] or (name == "pulls" and len(fresh) < len(nodes))
            moved = self._moved(name, cursor=info["endCursor"] or "", end=end)
            state = msgspec.structs.replace(self._state, running=moved, left_out=_added(self._state, name, missing))
            self._store.keep(state, [(f"graphql-{kind}", node) for node in fresh])
            self._got += len(fresh)
            self._say(name, total)
            if end:
                return

    async def _page(self, query: str, after: str | None, since: int | None) -> tuple[dict[str, Any], int]:
        """A page, as large as GitHub manages; and how many items of it it could not give."""
        owner, _, name = self._state.facts.repository.partition("/")
        while True:
            variables: dict[str, Any] = {"owner": owner, "name": name, "size": self._size, "after": after}
            if since is not None and "$since" in query:
                variables["since"] = stamp(since)
            try:
                data, faults = await self._api.graphql(query, variables)
            except TooHeavy as error:
                if not self._smaller():
                    raise errors.ForgeUnreachable(
                        f"GitHub gives up even on {self._size} items ({error}). What was fetched is kept."
                    ) from error
                continue
            found = data.get("repository") or {}
            if found.get("databaseId") not in (None, self._state.facts.id):
                raise errors.ForgeRefused(f"{owner}/{name} became another repository during the fetch; fetch it again.")
            page = found.get("page")
            if not page:
                raise _gone(
                    f"{owner}/{name}", 403 if any(f.get("type") == "FORBIDDEN" for f in faults) else 404, self._api
                )
            missing = sum(node is None or _hollow(node) for node in page["nodes"])
            if missing and self._smaller():
                continue
            self._size = min(PAGE, self._size * 2)
            return page, missing

    def _smaller(self) -> bool:
        if self._size <= SMALLEST:
            return False
        self._size = max(SMALLEST, self._size // 2)
        return True

    async def _complete(self, kind: str, nodes: Sequence[dict[str, Any]]) -> None:
        """Add the answers beyond the first hundred to the items themselves."""
        name = "comments" if kind == "issue" else "timelineItems"
        for node in nodes:
            node[name] = node.get(name) or {"nodes": [], "pageInfo": {"hasNextPage": False, "endCursor": None}}
        waiting = [node for node in nodes if node[name]["pageInfo"]["hasNextPage"]]
        while waiting:
            now, later = waiting[:TOGETHER], waiting[TOGETHER:]
            variables = {f"i{place}": node["id"] for place, node in enumerate(now)}
            variables |= {f"c{place}": node[name]["pageInfo"]["endCursor"] for place, node in enumerate(now)}
            data, _ = await _whole(self._api, queries.rest_of([kind] * len(now)), variables)
            for place, node in enumerate(now):
                more = (data.get(f"a{place}") or {}).get(name)
                node[name]["nodes"] += more["nodes"] if more else []
                node[name]["pageInfo"] = more["pageInfo"] if more else {"hasNextPage": False, "endCursor": None}
            waiting = [node for node in now if node[name]["pageInfo"]["hasNextPage"]] + later

    # REST ------------------------------------------------------------------------------------------------------------

    async def _rest(self, name: str) -> None:
        """A list in the order of its last change, from the place that was reached: `since`, and the page behind it."""
        at = self._pass.cursors.get(name, self._state.marks.get(name, self._first()))
        shape = "rest-item" if name == "items" else "rest-comment" if name == "comments" else "rest-inline"
        while True:
            since, _, number = at.partition("|")
            params: dict[str, str | int] = {"per_page": PAGE, "sort": "updated", "direction": "asc"}
            params |= {"state": "all"} if name == "items" else {}
            params |= {"since": since} if since else {}
            params |= {"page": number or "1"}
            old = self._state.etags.get(name, ("", ""))
            path = f"/repos/{self._state.facts.repository}{_PATHS[name]}"
            answer = await self._api.rest(path, etag=old[1] if old[0] == at else "", **params)
            rows: list[dict[str, Any]] = [] if answer.status != 200 else answer.json(list[dict[str, Any]])
            if answer.status in (404, 451):
                raise _gone(self._state.facts.repository, answer.status, self._api)
            end = answer.status != 200 or len(rows) < PAGE
            following = at if end else _after(at, rows)
            tag = answer.headers.get("ETag", "")
            state = msgspec.structs.replace(
                self._state,
                running=self._moved(name, cursor=following, end=end),
                marks=self._state.marks | {name: at} if end else self._state.marks,
                etags=self._state.etags | {name: (at, tag)}
                if end and tag and answer.status == 200
                else self._state.etags,
            )
            self._store.keep(state, [(shape, _slim(row)) for row in rows])
            self._got += len(rows)
            self._say(name, None)
            if end:
                return
            at = following

    def _first(self) -> str:
        since = self._pass.since
        return "" if since is None else stamp(since)


def _next_pass(state: State, mode: str, *, now: int) -> Pass:
    left = state.running
    if left is not None and left.mode == mode:
        return left
    started = left.started if left is not None else now
    known = state.taken_at if mode in state.full or (mode == "rest" and state.full) else None
    return Pass(mode=mode, started=started, since=None if known is None else known - OVERLAP)


def _after(at: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """The place behind a full page: by time where time moved, else the next page of the same second."""
    since, _, number = at.partition("|")
    last = str(rows[-1]["updated_at"])
    return last if last != since else f"{since}|{int(number or '1') + 1}"


def _added(state: State, name: str, missing: int) -> dict[str, int]:
    return state.left_out | {name: state.left_out.get(name, 0) + missing} if missing else state.left_out


def _hollow(node: Mapping[str, Any]) -> bool:
    """Whether GitHub left out an item's answers."""
    return node.get("comments", node.get("timelineItems")) is None


_KEPT = (
    "node_id", "number", "title", "html_url", "created_at", "updated_at", "closed_at", "author_association", "state",
    "issue_url", "pull_request_url",
)  # fmt: skip


def _slim(row: Mapping[str, Any]) -> dict[str, Any]:
    """A REST row without what people wrote, their pictures and their pages."""
    kept: dict[str, Any] = {name: row[name] for name in _KEPT if name in row}
    user = row.get("user")
    kept["user"] = {"login": user.get("login"), "type": user.get("type")} if user else None
    pull = row.get("pull_request")
    return kept | ({"pull_request": {"merged_at": pull.get("merged_at")}} if pull else {})


def seconds(given: object) -> int | None:
    """Seconds since 1970 of an instant as GitHub writes it."""
    if not isinstance(given, str) or not given:
        return None
    return int(datetime.datetime.fromisoformat(given.replace("Z", "+00:00")).timestamp())


def stamp(at: int) -> str:
    """An instant as GitHub reads it."""
    return datetime.datetime.fromtimestamp(at, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
