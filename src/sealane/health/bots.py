"""Who is a program: by name patterns that do not take people whose names contain "bot" with them.

Counting people is the point of every figure here, so programs are left out, and what that removed is always stated.
Patterns are anchored at the ends of the login, because a search for "bot" inside it removes Abbott and Botond. A
project's own programs that no pattern finds, and people that a pattern would hit, are configuration.
"""

from __future__ import annotations

import msgspec


class BotRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All compared in lower case. `allow` are people whatever else is said."""

    exact: frozenset[str] = frozenset()
    suffixes: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    allow: frozenset[str] = frozenset()

    def reason(self, actor: str) -> str:
        """Why this actor is a program, in words; "" for a person."""
        name = actor.lower()
        if name in self.allow:
            return ""
        if name in self.exact:
            return "known by name"
        ending = next((suffix for suffix in self.suffixes if name.endswith(suffix)), "")
        if ending:
            return f"its name ends in {ending}"
        beginning = next((prefix for prefix in self.prefixes if name.startswith(prefix)), "")
        return f"its name begins with {beginning}" if beginning else ""

    def among(self, actors: frozenset[str]) -> dict[str, str]:
        """The programs among these actors, each with the reason."""
        return {actor: why for actor in sorted(actors) if (why := self.reason(actor))}


_NAMES = """allcontributors,bot,circleci,claassistant,cla-assistant,claude,codecov,codex,copilot,dependabot,ekr-aibot
github action,github actions,github-actions,github-actions-user,googlebot,greenkeeper,id-bot,idbot,mergify,netlify
renovate,robot,snyk,stale,travis,travis-ci,w3cbot,web-flow"""

KNOWN = BotRules(
    exact=frozenset(_NAMES.replace("\n", ",").split(",")),
    suffixes=("[bot]", "-bot", "_bot", "-robot"),
    prefixes=("bot-", "codecov-"),
)
