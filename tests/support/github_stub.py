"""GitHub's API for tests, on loopback: a repository in memory, answered in GitHub's shapes, with faults on demand.

The shapes are written by hand after the published schema. GraphQL is not parsed: the stub knows the few queries that we
send by their words, and charges points as GitHub says that it does, a point for each hundred connections. Faults are
taken one by one, before the request that they hit is answered.
"""

from __future__ import annotations

import datetime
import email.utils
from collections.abc import Callable
from typing import Any

import msgspec
from aiohttp import web
from aiohttp.test_utils import TestServer

from sealane.lib.clock import Clock

Fault = Callable[["GitHubStub", web.Request], web.Response | None]
START = 1_700_000_000
TOKEN = "ghp_stubSecretToken123"


def iso(at: int) -> str:
    return datetime.datetime.fromtimestamp(at, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def person(login: str | None) -> dict[str, Any] | None:
    """An account as GraphQL shows it; a login that ends in [bot] is an app, None a deleted account."""
    if login is None:
        return None
    return {"login": login.removesuffix("[bot]"), "__typename": "Bot" if login.endswith("[bot]") else "User"}


class GitHubStub:
    """One repository. `faults` are taken from the front; `graphql_calls`, `rest_calls` and `points` are counted."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.name = "acme/thing"
        self.id = 4711
        self.old_names: set[str] = set()
        self.extra: dict[str, Any] = {}
        self.items: dict[int, dict[str, Any]] = {}
        self.inline: list[dict[str, Any]] = []
        self.faults: list[Fault | None] = []
        self.tokens = {TOKEN}
        self.graphql_calls = self.rest_calls = self.not_modified = self.points = 0
        self.limit, self.used, self.reset = 5000, 0, 0
        self.seen: list[str] = []
        self.status: int | None = None
        self.largest = 100
        self._answers = 0
        app = web.Application()
        app.router.add_post("/graphql", self._graphql)
        app.router.add_get("/{path:.*}", self._rest)
        self._server = TestServer(app, host="127.0.0.1")

    async def __aenter__(self) -> GitHubStub:
        await self._server.start_server()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.close()

    @property
    def url(self) -> str:
        return str(self._server.make_url("")).rstrip("/")

    def add(self, kind: str, *, by: str | None = "ann", at: int = START, answers: tuple[str | None, ...] = (),
            merged_by: str | None = None, association: str = "NONE", title: str = "It breaks") -> int:  # fmt: skip
        """An issue or a pull request, each answer a minute after the one before; gives back the number."""
        number = len(self.items) + 1
        self.items[number] = {
            "kind": kind, "number": number, "by": by, "at": at, "updated": at + 60 * len(answers), "title": title,
            "association": association, "merged_by": merged_by, "closed": at + 3600 if merged_by else None,
            "answers": [self._answer(who, at + 60 * place, "") for place, who in enumerate(answers, start=1)],
        }  # fmt: skip
        return number

    def answer(self, number: int, who: str | None, *, at: int, state: str = "") -> None:
        """A comment, or a review where it has a state."""
        item = self.items[number]
        item["answers"].append(self._answer(who, at, state))
        item["updated"] = max(at, item["updated"])

    def on_line(self, number: int, who: str, *, at: int) -> None:
        """A comment on a line of a pull request."""
        self._answers += 1
        self.inline.append(
            {"node_id": f"PRRC_{self._answers}", "user": {"login": who, "type": "User", "avatar_url": "https://x/y"},
             "author_association": "MEMBER", "created_at": iso(at), "updated_at": iso(at), "body": "a secret thought",
             "pull_request_url": f"https://api.example/repos/{self.name}/pulls/{number}"}
        )  # fmt: skip

    def _answer(self, who: str | None, at: int, state: str) -> dict[str, Any]:
        self._answers += 1
        return {"id": f"IC_{self._answers}", "who": who, "at": at, "state": state}

    # Answers ---------------------------------------------------------------------------------------------------------

    async def _graphql(self, request: web.Request) -> web.Response:
        self.graphql_calls += 1
        if (early := self._before(request, "graphql")) is not None:
            return early
        if not request.headers.get("Authorization"):
            return self._sent({"message": "This endpoint requires you to be authenticated."}, status=401)
        asked = msgspec.json.decode(await request.read())
        query, given = asked["query"], asked["variables"]
        if "a0:node" in query.replace(" ", ""):
            return self._more(given)
        if f"{given['owner']}/{given['name']}" not in {self.name, *self.old_names} or self.status:
            words = "Repository access blocked (451)" if self.status == 451 else "Could not resolve to a Repository."
            return self._sent({"data": {"repository": None}, "errors": [{"type": "NOT_FOUND", "message": words}]})
        if "nameWithOwner" in query:
            self.points += 1
            return self._sent({"data": {"rateLimit": self._cost(1), "repository": self._facts()}})
        if given["size"] > self.largest:
            return web.Response(status=502, text="<html>Unicorn!</html>")
        return self._page(query, given)

    def _page(self, query: str, given: dict[str, Any]) -> web.Response:
        kind = "issue" if "page: issues" in query else "pull"
        changed, newest = "UPDATED_AT" in query, "DESC" in query
        found = [item for item in self.items.values() if item["kind"] == kind]
        if "since" in given:
            found = [item for item in found if iso(item["updated"]) >= given["since"]]
        key = "updated" if changed else "at"
        found.sort(key=lambda item: (item[key], item["number"]), reverse=newest)
        places = {f"c{item[key]}-{item['number']}": place for place, item in enumerate(found)}
        first = places[given["after"]] + 1 if given["after"] else 0
        page = found[first : first + given["size"]]
        info = {"hasNextPage": first + len(page) < len(found),
                "endCursor": f"c{page[-1][key]}-{page[-1]['number']}" if page else None}  # fmt: skip
        cost = max(1, round((1 + given["size"]) / 100))
        self.points += cost
        nodes = [self._node(item) for item in page]
        return self._sent(
            {"data": {"rateLimit": self._cost(cost),
                      "repository": {"databaseId": self.id, "page": {"pageInfo": info, "nodes": nodes}}}}
        )  # fmt: skip

    def _more(self, given: dict[str, Any]) -> web.Response:
        data: dict[str, Any] = {"rateLimit": self._cost(1)}
        self.points += 1
        for name, node in given.items():
            if name.startswith("i"):
                item = self.items[int(node.removeprefix("I_"))]
                part = "comments" if item["kind"] == "issue" else "timelineItems"
                data[f"a{name[1:]}"] = {part: self._connection(item, int(given[f"c{name[1:]}"]))}
        return self._sent({"data": data})

    def _node(self, item: dict[str, Any]) -> dict[str, Any]:
        pull = item["kind"] == "pull"
        node = {
            "id": f"I_{item['number']}", "number": item["number"], "title": item["title"], "state": "OPEN",
            "url": f"https://forge.example/{self.name}/{item['number']}", "createdAt": iso(item["at"]),
            "updatedAt": iso(item["updated"]), "closedAt": iso(item["closed"]) if item["closed"] else None,
            "authorAssociation": item["association"], "author": person(item["by"]),
            "timelineItems" if pull else "comments": self._connection(item, 0),
        }  # fmt: skip
        merged = {"mergedAt": iso(item["closed"]) if item["merged_by"] else None, "mergedBy": person(item["merged_by"])}
        return node | (merged if pull else {})

    def _connection(self, item: dict[str, Any], first: int) -> dict[str, Any]:
        page = item["answers"][first : first + 100]
        end = first + len(page)
        return {"pageInfo": {"hasNextPage": end < len(item["answers"]), "endCursor": str(end)},
                "nodes": [self._answered(each) for each in page]}  # fmt: skip

    def _answered(self, each: dict[str, Any]) -> dict[str, Any]:
        review = {"__typename": "PullRequestReview", "state": each["state"]} if each["state"] else {}
        return {"__typename": "IssueComment", "id": each["id"], "createdAt": iso(each["at"]),
                "authorAssociation": "MEMBER", "author": person(each["who"])} | review  # fmt: skip

    async def _rest(self, request: web.Request) -> web.Response:
        self.rest_calls += 1
        if (early := self._before(request, "core")) is not None:
            return early
        by_id, path = f"repositories/{self.id}", request.match_info["path"].removeprefix("repos/")
        for old in self.old_names:
            if path == old or path.startswith(f"{old}/"):
                target = f"{self.url}/{by_id}{path.removeprefix(old)}?{request.query_string}"
                return self._sent({"message": "Moved Permanently"}, status=301, Location=target)
        rest = path.removeprefix(self.name if path.startswith(self.name) else by_id)
        if self.status or rest == path:
            return self._sent({"message": "Not Found"}, status=self.status or 404)
        rows = {"": None, "/issues": self._rest_items, "/issues/comments": self._rest_comments,
                "/pulls/comments": lambda: self.inline}[rest]  # fmt: skip
        if rows is None:
            facts = self._facts()
            return self._sent(
                {"id": self.id, "full_name": self.name, "html_url": facts["url"], "fork": facts["isFork"],
                 "archived": facts["isArchived"], "mirror_url": facts["mirrorUrl"], "has_issues": True}
            )  # fmt: skip
        found = sorted(rows(), key=lambda row: row["updated_at"])
        found = [row for row in found if row["updated_at"] >= request.query.get("since", "")]
        size, page = int(request.query["per_page"]), int(request.query.get("page", "1"))
        part = found[(page - 1) * size : page * size]
        tag = f'"{hash(msgspec.json.encode(part))}"'
        if request.headers.get("If-None-Match") == tag:
            self.not_modified += 1
            return self._sent(None, status=304, ETag=tag)
        return self._sent(part, ETag=tag)

    def _rest_items(self) -> list[dict[str, Any]]:
        return [
            {"node_id": f"I_{item['number']}", "number": item["number"], "title": item["title"], "state": "open",
             "html_url": f"https://forge.example/{self.name}/{item['number']}", "created_at": iso(item["at"]),
             "updated_at": iso(item["updated"]), "closed_at": iso(item["closed"]) if item["closed"] else None,
             "author_association": item["association"], "user": _user(item["by"]), "body": "a secret thought"}
            | ({"pull_request": {"merged_at": iso(item["closed"]) if item["merged_by"] else None}}
               if item["kind"] == "pull" else {})
            for item in self.items.values()
        ]  # fmt: skip

    def _rest_comments(self) -> list[dict[str, Any]]:
        return [
            {"node_id": each["id"], "user": _user(each["who"]), "author_association": "MEMBER", "body": "words",
             "created_at": iso(each["at"]), "updated_at": iso(each["at"]),
             "issue_url": f"https://api.example/repos/{self.name}/issues/{item['number']}"}
            for item in self.items.values() for each in item["answers"] if not each["state"]
        ]  # fmt: skip

    def _facts(self) -> dict[str, Any]:
        count = {kind: sum(item["kind"] == kind for item in self.items.values()) for kind in ("issue", "pull")}
        return {
            "databaseId": self.id, "nameWithOwner": self.name, "url": f"https://forge.example/{self.name}",
            "isArchived": False, "archivedAt": None, "isFork": False, "isPrivate": False, "isEmpty": False,
            "mirrorUrl": None, "hasIssuesEnabled": True, "issues": {"totalCount": count["issue"]},
            "pullRequests": {"totalCount": count["pull"]},
        } | self.extra  # fmt: skip

    def _before(self, request: web.Request, resource: str) -> web.Response | None:
        """The next fault, a bad token, or a budget that is spent."""
        self.seen.append(f"{request.method} {request.path_qs}")
        now = int(self.clock.now().timestamp())
        if now >= self.reset:
            self.reset, self.used = now + 3600, 0
        fault = self.faults.pop(0) if self.faults else None
        if fault is not None and (answer := fault(self, request)) is not None:
            return answer
        sent = request.headers.get("Authorization", "")
        if sent and sent.removeprefix("Bearer ") not in self.tokens:
            return self._sent({"message": "Bad credentials"}, status=401)
        if self.used >= self.limit:
            return self._sent({"message": "API rate limit exceeded for 127.0.0.1."}, status=403)
        self.used += 1
        return None

    def _cost(self, cost: int) -> dict[str, Any]:
        return {"cost": cost, "remaining": self.limit - self.used, "limit": self.limit, "resetAt": iso(self.reset)}

    def _sent(self, value: Any, *, status: int = 200, **headers: str) -> web.Response:
        now = self.clock.now().timestamp()
        known = {"X-RateLimit-Limit": str(self.limit), "X-RateLimit-Remaining": str(max(0, self.limit - self.used)),
                 "X-RateLimit-Reset": str(self.reset), "Date": email.utils.formatdate(now, usegmt=True)}  # fmt: skip
        body = b"" if value is None else msgspec.json.encode(value)
        return web.Response(status=status, body=body, headers=known | headers, content_type="application/json")


def _user(login: str | None) -> dict[str, Any]:
    """An account as REST shows it: a deleted one is the account `ghost`."""
    kind = "Bot" if login and login.endswith("[bot]") else "User"
    return {"login": login or "ghost", "type": kind, "avatar_url": "https://pictures.example/1"}


def secondary(stub: GitHubStub, _: web.Request) -> web.Response:
    """The limit that is told by Retry-After alone."""
    words = {"message": "You have exceeded a secondary rate limit."}
    return stub._sent(words, status=403, **{"Retry-After": "45"})


def bad_gateway(_: GitHubStub, __: web.Request) -> web.Response:
    """A page of HTML."""
    return web.Response(status=502, text="<html>Unicorn!</html>")


def expired(stub: GitHubStub, _: web.Request) -> None:
    """The token ends now."""
    stub.tokens.clear()


def points_spent(stub: GitHubStub, _: web.Request) -> web.Response:
    """GraphQL's own way to say that the hour's points are spent."""
    return stub._sent({"data": None, "errors": [{"type": "RATE_LIMITED", "message": "API rate limit exceeded"}]})
