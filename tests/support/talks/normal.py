"""Takes away what differs between any two clusters that behave alike: times, ages, addresses, uids, hashes, node names.

What is replaced keeps a mark, so that a missing age or address still shows. Whatever a kubelet says is taken away too:
the rig's own kubelet is a stand-in as much as the sandbox's, and no witness.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")

_LETTERS = "[bcdfghjklmnpqrstvwxz2456789]"  # what Kubernetes builds generated names from
_WEEKDAY = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_RULES: tuple[tuple[str, str], ...] = (
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z| ?[+-]\d{4}|[+-]\d\d:\d\d)?", "<time>"),
    (rf"{_WEEKDAY}, \d\d \w{{3}} \d{{4}} \d\d:\d\d:\d\d [+-]\d{{4}}", "<time>"),
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "<uid>"),
    (rf"-{_LETTERS}{{8,10}}-{_LETTERS}{{5}}\b", "-<hash>-<id>"),
    (rf"-{_LETTERS}{{8,10}}\b", "-<hash>"),
    (rf"(pod-template-hash(?:=|: |\":\s*\"))\"?{_LETTERS}{{8,10}}\b", r"\1<hash>"),
    (rf"kube-api-access-{_LETTERS}{{5}}", "kube-api-access-<id>"),
    (rf"-{_LETTERS}{{5}}(?=\s+IPv4)", "-<id>"),
    (rf"-{_LETTERS}{{7}}-shared-gpu", "-<id>-shared-gpu"),
    (r"https://127\.0\.0\.1:\d+", "https://<server>"),
    (r"\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b", "<ip>"),
    (r"go1\.\d+(?:\.\d+)?", "<go>"),
    (r"(\"continue\": ?)\"[^\"]+\"", r"\1<more>"),
    (r"(Resource Version: +)\d+", r"\1<version>"),
    (r"(resourceVersion: )\"\d+\"", r"\1<version>"),
    (r"(\"resourceVersion\": ?)\"\d+\"", r"\1<version>"),
    (r"(?:/[\w.-]+)*/(LIVE|MERGED)-\d+/", r"<scratch>/\1/"),
    (r"(?<!for)(?<=[\s(])(?:\d+d)?(?:\d+h)?(?:\d+m)?(?:\d+s)?(?<=[dhms])(?=[\s),]|$)", "<age>"),
    (r" \(x\d+ over <age>\)", ""),
    (r"(Container ID|Image ID):( +)\S+", r"\1:\2<runtime>"),
)
_COMPILED = [(re.compile(pattern), into) for pattern, into in _RULES]
_GAP = re.compile(r"(?<=\S) {2,}|(?<=\S)\t+ *")
_EVENT = re.compile(r"^ +(Normal|Warning) ")
_FIELD = re.compile(r"^(GROUP|KIND|VERSION|FIELDS?):|^ +\w+\t<\S+>")
_KUBELET = re.compile(r"^ +(Normal|Warning) +\S+ +\S+ +(kubelet|rig-kubelet)\b")


def of(code: int, out: str, err: str, *, nodes: Iterable[str], sort: bool, make: Callable[..., T]) -> T:
    """`make(code=, out=, err=)` of the three, normalised."""
    return make(code=code, out=text(out, nodes=nodes, sort=sort), err=text(err, nodes=nodes, sort=sort))


def text(said: str, *, nodes: Iterable[str] = (), sort: bool = False) -> str:
    """One stream, normalised; lines sorted where their order says nothing."""
    for name in sorted(nodes, key=len, reverse=True):
        said = re.sub(rf"(?<![\w-]){re.escape(name)}(?![\w-])", "<node>", said)
    said = "\n".join(map(ordered, said.splitlines()))
    for pattern, into in _COMPILED:
        said = pattern.sub(into, said)
    lines = [_GAP.sub("  ", line).rstrip() for line in said.splitlines() if not _KUBELET.match(line)]
    return "\n".join(sorted(lines) if sort else _blocks_sorted(lines)).rstrip("\n")


def ordered(line: str) -> str:
    """A line that is one JSON object, its fields in order of the alphabet: their order says nothing."""
    try:
        found = json.loads(line) if line.startswith('{"') else None
    except ValueError:
        found = None
    return line if found is None else json.dumps(found, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def outline(said: str) -> str:
    """What `kubectl explain` says without its prose: kind, fields and types."""
    lines = [line for line in said.splitlines() if _FIELD.match(line)]
    return "\n".join(lines)


def _blocks_sorted(lines: list[str]) -> list[str]:
    """Lines with an order of their own for what has none: events of one object, and conditions of a pod."""
    done: list[str] = []
    block: list[str] = []
    conditions = False
    for line in lines:
        if _EVENT.match(line) or (conditions and line.startswith(" ")):
            block.append(line)
            continue
        done += sorted(set(block))
        block = []
        done.append(line)
        conditions = line == "Conditions:"
    return done + sorted(set(block))
