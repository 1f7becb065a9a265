"""From GitHub's raw answers to events: every item and every answer once, whatever was fetched how often.

The last reading of an item wins; answers are known by GitHub's own ids, so an answer that both APIs gave counts once. A
deleted account is None. What GitHub itself marks as an app is a program, under the name of REST (`NAME[bot]`), so
that both APIs mean the same actor and no person is taken for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from sealane.health.events import Action, ActionKind, Item, ItemKind
from sealane.health.sources.github import seconds
from sealane.health.sources.rawstore import Store

BOT_REASON = "GitHub marks it as an app"
GHOST = "ghost"
"""The account that REST shows in place of deleted ones; GraphQL says null."""


class Gathered(msgspec.Struct, frozen=True, kw_only=True):
    """Items and actions by number and time; `bots` are the actors that GitHub itself calls programs."""

    items: tuple[Item, ...]
    actions: tuple[Action, ...]
    bots: frozenset[str]


def gather(store: Store) -> Gathered:
    """Everything in a store. Raises SourceBroken for a damaged page."""
    builder = _Builder(store.state.facts.repository)
    for record in store.records():
        value = msgspec.json.decode(record.value)
        if record.shape.startswith("graphql-"):
            builder.graphql("issue" if record.shape == "graphql-issue" else "pull", value)
        elif record.shape == "rest-item":
            builder.item("pull" if value.get("pull_request") else "issue", value)
        else:
            builder.comment("comment" if record.shape == "rest-comment" else "inline", value)
    return builder.done()


class _Builder:
    def __init__(self, project: str) -> None:
        self._project = project
        self._items: dict[int, Item] = {}
        self._actions: dict[str, tuple[int, Action]] = {}
        self._bots: set[str] = set()

    def graphql(self, kind: ItemKind, node: Mapping[str, Any]) -> None:
        number = int(node["number"])
        self._items[number] = Item(
            project=self._project,
            kind=kind,
            number=number,
            actor=self._who(node.get("author"), "__typename"),
            association=str(node.get("authorAssociation") or ""),
            stamp=seconds(node["createdAt"]) or 0,
            closed_at=seconds(node.get("closedAt")),
            merged_at=seconds(node.get("mergedAt")),
            merged_by=self._who(node.get("mergedBy"), "__typename"),
            title=str(node.get("title") or ""),
            url=str(node.get("url") or ""),
        )
        for answer in (node.get("comments") or node.get("timelineItems") or {}).get("nodes") or ():
            if answer and answer.get("id") and answer.get("createdAt"):
                review = answer.get("__typename") == "PullRequestReview"
                self._act(
                    "review" if review else "comment",
                    number,
                    key=str(answer["id"]),
                    actor=self._who(answer.get("author"), "__typename"),
                    association=answer.get("authorAssociation"),
                    at=answer["createdAt"],
                    state=str(answer.get("state") or "") if review else "",
                )

    def item(self, kind: ItemKind, row: Mapping[str, Any]) -> None:
        number = int(row["number"])
        known = self._items.get(number)
        self._items[number] = Item(
            project=self._project,
            kind=kind,
            number=number,
            actor=self._who(row.get("user"), "type"),
            association=str(row.get("author_association") or ""),
            stamp=seconds(row["created_at"]) or 0,
            closed_at=seconds(row.get("closed_at")),
            merged_at=seconds((row.get("pull_request") or {}).get("merged_at")),
            merged_by=known.merged_by if known else None,
            title=str(row.get("title") or ""),
            url=str(row.get("html_url") or ""),
        )

    def comment(self, kind: ActionKind, row: Mapping[str, Any]) -> None:
        number = str(row.get("issue_url") or row.get("pull_request_url") or "").rpartition("/")[2]
        if number.isdigit():
            self._act(
                kind,
                int(number),
                key=str(row["node_id"]),
                actor=self._who(row.get("user"), "type"),
                association=row.get("author_association"),
                at=row["created_at"],
            )

    def done(self) -> Gathered:
        # A conversation without its item would be an answer to nothing: the item was deleted, or moved away.
        actions = [
            msgspec.structs.replace(action, item_kind=self._items[number].kind)
            for number, action in self._actions.values()
            if number in self._items
        ]
        return Gathered(
            items=tuple(self._items[number] for number in sorted(self._items)),
            actions=tuple(sorted(actions, key=lambda action: (action.number, action.stamp, action.kind))),
            bots=frozenset(self._bots),
        )

    def _act(
        self,
        kind: ActionKind,
        number: int,
        *,
        key: str,
        actor: str | None,
        association: object,
        at: object,
        state: str = "",
    ) -> None:
        made = Action(
            project=self._project,
            kind=kind,
            item_kind="issue",
            number=number,
            actor=actor,
            association=str(association or ""),
            stamp=seconds(at) or 0,
            state=state,
        )
        self._actions[key] = (number, made)

    def _who(self, account: Mapping[str, Any] | None, kind: str) -> str | None:
        login = (account or {}).get("login")
        if not account or not login or str(login).lower() == GHOST:
            return None
        if account.get(kind) != "Bot":
            return str(login)
        name = login if login.endswith("[bot]") else f"{login}[bot]"
        self._bots.add(name)
        return str(name)
