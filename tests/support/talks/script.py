"""The words that scenes are written in: one `Line` is one kubectl command, one `Scene` is a namespace with its lines.

Lines of a scene follow each other, and later ones see what earlier ones did. A line that prepares something, or that
waits for something, is not compared.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Line:
    """`command` is what follows `kubectl --namespace SCENE`, split as a shell would; `{ns}` is the scene's namespace.

    `until` is a regular expression: the command is repeated until it is found in what was said (standard output and
    error together). `user` is impersonated. `sort` compares lines in any order.
    """

    id: str
    command: str
    stdin: str = ""
    until: str = ""
    user: str = ""
    sort: bool = False
    compared: bool = True


@dataclass(frozen=True, kw_only=True)
class Scene:
    """`name` is also the namespace, which is made before the first line with `labels`, and removed after the last.

    `leaves` are objects outside of the namespace that are removed too ("queue/talk").
    """

    name: str
    lines: tuple[Line, ...]
    labels: tuple[str, ...] = ()
    leaves: tuple[str, ...] = ()


def say(id: str, command: str, **more: object) -> Line:  # noqa: A002 - as the column of a table of conversations
    """A line that is compared."""
    return Line(id=id, command=command, **more)  # type: ignore[arg-type]


def do(command: str, **more: object) -> Line:
    """A line that prepares or waits, and is not compared."""
    return Line(id="", command=command, compared=False, **more)  # type: ignore[arg-type]
