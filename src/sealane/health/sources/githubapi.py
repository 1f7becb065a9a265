"""GitHub's API as a polite caller sees it: budgets, waits, redirects, and every refusal as one sentence.

REST and GraphQL share one loop. A limit is waited out by the clock and said, up to a total that the caller gives; then
the fetch ends with what it has. The token goes into one header of calls to the given address, never over plain HTTP
to another machine, never to where a redirect leads outside, and into no message.
"""

from __future__ import annotations

import email.utils
from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

import aiohttp
import msgspec

from sealane.health import errors
from sealane.health.sources.steps import Said, Step, silent
from sealane.lib import text
from sealane.lib.clock import Clock
from sealane.lib.errors import Evidence, NextStep, UsageError

PUBLIC = "https://api.github.com"
LARGEST = 64 * 1024**2
"""Bytes of one answer; a page of a hundred items has a fiftieth of it."""
TRIES = 5
PATIENCE = 90.0
SHORT = 32.0
MANNERS = 300.0
"""Seconds that pauses of at most SHORT seconds may take together beyond what the caller allows."""
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_REDIRECTS = frozenset({301, 302, 307, 308})


class TooHeavy(Exception):
    """GitHub gave up on a query: ask for less at once. Never leaves the sources."""


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """What GitHub said is left of an hour's calls (core) or points (graphql); `reset` in seconds."""

    limit: int
    remaining: int
    reset: int


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """An answer of the API. `status` 304 has no body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self, shape: Any = Any) -> Any:
        """The body as JSON. Raises ForgeUnreachable."""
        try:
            return msgspec.json.decode(self.body, type=shape)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise errors.ForgeUnreachable(f"GitHub's answer is not what its API promises: {error}.") from error


class GitHubApi:
    """Calls with or without a token. `calls` and `points` count what was spent, `waited` seconds of waiting."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        *,
        base: str = PUBLIC,
        token: str = "",
        clock: Clock,
        wait_limit: float = 0.0,
        said: Said = silent,
    ) -> None:
        self.base, self._graphql = addresses(base, secret=bool(token))
        if token and not (token.isascii() and token.isprintable() and " " not in token):
            raise UsageError("The token has characters that no token has; is a line break or a quote in it?")
        self._session = session
        self._token = token
        self._clock = clock
        self._wait_limit = wait_limit
        self._said = said
        self.calls = 0
        self.points = 0
        self.waited = 0.0
        self.budgets: dict[str, Budget] = {}

    @property
    def anonymous(self) -> bool:
        """Whether there is no token: REST only, sixty calls an hour."""
        return not self._token

    async def rest(self, path: str, *, etag: str = "", **params: str | int) -> Answer:
        """GET a path below the base. 304, 404, 410 and 451 are answers; all else that is no success raises."""
        query = "&".join(f"{name}={value}" for name, value in params.items())
        headers = {"If-None-Match": etag} if etag else {}
        return await self._call("GET", f"{self.base}{path}" + (f"?{query}" if query else ""), headers=headers)

    async def graphql(self, query: str, variables: Mapping[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Data and errors of a query; data may be partial. Raises TooHeavy where GitHub gave up on it."""
        body = msgspec.json.encode({"query": query, "variables": variables})
        while True:
            answer = await self._call("POST", self._graphql, body=body)
            given = answer.json(dict[str, Any])
            data, faults = given.get("data") or {}, given.get("errors") or []
            self.points += int((data.get("rateLimit") or {}).get("cost") or 0)
            kinds = {str(fault.get("type") or "") for fault in faults}
            if "RATE_LIMITED" in kinds:
                await self._wait(self._until_reset("graphql", answer), "the hour's points are spent")
                continue
            if not data and faults and not kinds & {"NOT_FOUND", "FORBIDDEN"}:
                raise TooHeavy(str(faults[0].get("message") or "")[:200])
            return data, faults

    async def _call(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Answer:
        resource = "graphql" if url == self._graphql else "core"
        failures = limited = hops = 0
        while True:
            await self._respect(resource)
            try:
                answer = await self._once(method, url, headers or {}, body)
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                answer = None
                why = type(error).__name__
            if answer is not None and answer.status < 500:
                self._account(resource, answer)
                if answer.status in _REDIRECTS and hops < 3:
                    url, hops = self._redirected(url, answer), hops + 1
                    continue
                delay = self._limit(resource, answer, limited)
                if delay is None:
                    return _allowed(answer, token=bool(self._token))
                limited += 1
                await self._wait(delay, "GitHub asks for a pause")
                continue
            failures += 1
            if resource == "graphql" and answer is not None and failures >= 2:
                raise TooHeavy(f"status {answer.status}")
            if failures >= TRIES:
                seen = f"status {answer.status}" if answer is not None else why
                raise errors.ForgeUnreachable(
                    f"{urlsplit(self.base).netloc} did not answer {TRIES} times in a row ({seen}).",
                    next_steps=(NextStep(title="Go on later with the same command; what was fetched is kept"),),
                )
            await self._wait(float(2**failures), "GitHub does not answer")

    async def _once(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        self.calls += 1
        sent = {"Accept": "application/vnd.github+json", "User-Agent": "sealane", **headers}
        if self._token:
            sent["Authorization"] = f"Bearer {self._token}"
        if body is not None:
            sent["Content-Type"] = "application/json"
        limit = aiohttp.ClientTimeout(total=PATIENCE)
        async with self._session.request(
            method, url, headers=sent, data=body, allow_redirects=False, timeout=limit
        ) as answer:
            content = bytearray()
            async for part in answer.content.iter_chunked(1 << 16):
                content += part
                if len(content) > LARGEST:
                    raise errors.ForgeUnreachable(f"GitHub's answer has more than {LARGEST // 1024**2} MiB.")
            return Answer(status=answer.status, headers=answer.headers, body=bytes(content))

    def _account(self, resource: str, answer: Answer) -> None:
        headers = answer.headers
        limit, left, reset = (headers.get(f"X-RateLimit-{name}", "") for name in ("Limit", "Remaining", "Reset"))
        if limit.isdigit() and left.isdigit() and reset.isdigit():
            self.budgets[resource] = Budget(limit=int(limit), remaining=int(left), reset=int(reset))

    def _redirected(self, url: str, answer: Answer) -> str:
        target = urljoin(url, answer.headers.get("Location", ""))
        if urlsplit(target)[:2] != urlsplit(self.base)[:2]:
            raise errors.ForgeUnreachable(f"{urlsplit(url).netloc} sends us to another host; that is not followed.")
        return target

    def _limit(self, resource: str, answer: Answer, times: int) -> float | None:
        """Seconds to wait where the answer is a limit; None where it is not."""
        if answer.status not in (403, 429):
            return None
        after = answer.headers.get("Retry-After", "")
        if after.isdigit():
            return float(after) + 1
        if answer.headers.get("X-RateLimit-Remaining") == "0":
            return self._until_reset(resource, answer)
        if answer.status == 429 or b"rate limit" in answer.body[:2000].lower():
            return min(60.0 * float(1 << times), 900.0)
        return None

    def _until_reset(self, resource: str, answer: Answer) -> float:
        """By GitHub's own clock, because ours may be wrong."""
        budget = self.budgets.get(resource)
        if budget is None:
            return 60.0
        said = email.utils.parsedate_tz(answer.headers.get("Date", ""))
        now = self._clock.now().timestamp() if said is None else email.utils.mktime_tz(said)
        return max(1.0, float(budget.reset) - float(now) + 1.0)

    async def _respect(self, resource: str) -> None:
        """Do not ask where GitHub said that nothing is left."""
        budget = self.budgets.get(resource)
        if budget is not None and budget.remaining == 0:
            left = budget.reset - self._clock.now().timestamp()
            if left > 0:
                await self._wait(left + 1, f"the {budget.limit} calls of this hour are spent")
            self.budgets.pop(resource)

    async def _wait(self, seconds: float, why: str) -> None:
        # Short pauses are manners and always taken, but not for ever.
        over = self.waited + seconds - self._wait_limit
        if over > (0 if seconds > SHORT else MANNERS):
            raise self._spent(seconds, why)
        self.waited += seconds
        left = seconds
        while left > 0:
            self._said(Step(stage="Waiting", sentence=f"{why.capitalize()}: {text.duration(left)} to go."))
            await self._clock.sleep(min(left, 60.0))
            left -= 60.0

    def _spent(self, seconds: float, why: str) -> errors.ForgeLimited:
        steps = [NextStep(title=f"Go on in {text.duration(seconds)} with the same command, or let it wait with --wait")]
        if self.anonymous:
            steps.append(NextStep(title="Or give a token in GITHUB_TOKEN: 5,000 points an hour in place of 60 calls"))
        return errors.ForgeLimited(
            f"Stopped: {why}, for {text.duration(seconds)} more. What was fetched is kept.",
            evidence=(
                Evidence(label="calls made", value=self.calls),
                Evidence(label="points spent", value=self.points),
            ),
            next_steps=tuple(steps),
        )


def addresses(base: str, *, secret: bool) -> tuple[str, str]:
    """REST and GraphQL addresses for an API's address; GitHub Enterprise has them in two places. Raises UsageError."""
    parts = urlsplit(base.strip())
    plain = parts.scheme == "http" and parts.hostname in _LOOPBACK
    if not parts.hostname or parts.username or parts.query or parts.fragment or not (parts.scheme == "https" or plain):
        needs = "; a token is sent over https only" if secret and parts.scheme == "http" else ""
        raise UsageError(f"{base[:200]!r} is no address of an API: it looks like https://HOST/api/v3{needs}.")
    root = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
    if root.endswith("/api/v3"):
        return root, root.removesuffix("/v3") + "/graphql"
    if root.endswith("/api"):
        return f"{root}/v3", f"{root}/graphql"
    return root, f"{root}/graphql"


def _allowed(answer: Answer, *, token: bool) -> Answer:
    """The answer, or what its refusal means."""
    if answer.status < 300 or answer.status in (304, 404, 410, 451):
        return answer
    if answer.status == 401:
        what = "no longer accepts the token: it expired or was taken back" if token else "wants a token"
        raise errors.ForgeRefused(
            f"GitHub {what}. What was fetched is kept.",
            next_steps=(NextStep(title="Give another token in GITHUB_TOKEN and repeat the command; it goes on"),),
        )
    if answer.status == 403:
        raise errors.ForgeRefused("GitHub does not allow this to whoever asks; the token may lack a right or SSO.")
    raise errors.ForgeUnreachable(f"GitHub answered with status {answer.status}, which is not expected here.")
