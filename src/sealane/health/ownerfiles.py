"""Who stands in a file that names a project's owners: CODEOWNERS, OWNERS, OWNERS_ALIASES, MAINTAINERS.

Only logins count. Teams and addresses are not resolved, because that needs rights and guesses. The files are somebody
else's text: nothing in them is executed, and one that is not understood names nobody.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath

_LOGIN = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,37}[A-Za-z0-9])?"
_MENTION = re.compile(rf"(?<![\w/.@-])@({_LOGIN})(?![\w/-])")
_PROFILE = re.compile(rf"https?://github\.com/({_LOGIN})(?![\w-])(?!/\w)", re.IGNORECASE)
_LIST_ITEM = re.compile(rf"^\s*-\s*[\"']?({_LOGIN})[\"']?\s*(?:#.*)?$")
_KEY = re.compile(r"^\s*([A-Za-z_][\w.-]*)\s*:\s*(?:#.*)?$")
_EMERITUS = re.compile(r"emerit|alumni|former|retired|inactive", re.IGNORECASE)
LARGEST = 1_000_000
NAMES = ("CODEOWNERS", "OWNERS", "OWNERS_ALIASES")


def is_owner_file(path: str) -> bool:
    """Whether a path of a repository is one of these files."""
    name = PurePosixPath(path).name
    return name in NAMES or (name.upper().startswith("MAINTAINERS") and len(PurePosixPath(path).parts) <= 2)


def logins(path: str, text: str) -> frozenset[str]:
    """The logins that a version of the file names, in lower case; former ones, where it says so, are not."""
    if len(text) > LARGEST:
        return frozenset()
    name = PurePosixPath(path).name
    found = _listed(text) if name in {"OWNERS", "OWNERS_ALIASES"} else _mentioned(text)
    return frozenset(login.lower() for login in found)


def _mentioned(text: str) -> set[str]:
    found: set[str] = set()
    former = False
    for line in text.splitlines():
        bare = line.strip()
        if bare.startswith("#"):
            former = bool(_EMERITUS.search(bare))
            continue
        if not former:
            found.update(_MENTION.findall(line))
            found.update(_PROFILE.findall(line))
    return found


def _listed(text: str) -> set[str]:
    found: set[str] = set()
    former = False
    for line in text.splitlines():
        key = _KEY.match(line)
        if key:
            former = bool(_EMERITUS.search(key.group(1)))
            continue
        item = _LIST_ITEM.match(line)
        if item and not former:
            found.add(item.group(1))
    return found
