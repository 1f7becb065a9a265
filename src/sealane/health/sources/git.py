"""A git repository on this machine: all commits of the default branch, tags, ownership files, and what pull requests
left behind, without any API, account or token.

Git itself reads the repository, so that packs, mailmaps and encodings are its business; no hook, pager, filter or
configuration of the repository runs. Output is read as it comes, for repositories of two million commits. Dates that
cannot be (before 1990, after now) count as unknown and their commits are left out and counted.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from sealane.health import errors, identities, ownerfiles, pullrefs
from sealane.health.bots import BotRules
from sealane.health.events import Coauthor, Commit, Domain, Events, Item, OwnerName, OwnerVersion, Tag
from sealane.health.identities import Person, Signature

EARLIEST = 631152000
"""1990-01-01: git is younger, and so is every forge."""
PATIENCE = 600.0
_FIELDS = ("%H", "%P", "%ct", "%aN", "%aE", "%cE", "%(trailers:key=Co-authored-by,valueonly,separator=%x1f)", "%s")
_FORMAT = "%x1e" + "%x00".join(_FIELDS)
_REFLOG = re.compile(r"@\{(\d+)\}")
_WEB = frozenset({"noreply@github.com", "noreply@gitlab.com"})


class GitRead(msgspec.Struct, frozen=True, kw_only=True):
    """What was read. `skipped` are impossible dates;
    `shallow` that the history was cut by whoever cloned it; `head` is the commit of the default branch."""

    events: Events
    head: str
    skipped: int
    shallow: bool
    pull_refs: int


class _Raw(msgspec.Struct, frozen=True, gc=False):
    sha: str
    parents: int
    stamp: int
    author: Signature
    web: bool
    coauthors: tuple[Signature, ...]
    subject: str


def read(path: Path, *, project: str, rules: BotRules, now: int) -> GitRead:
    """Everything of the default branch before `now` (seconds). Raises SourceMissing or SourceBroken in git's words."""
    git = _Git(path)
    head = git.head()
    raws = list(_commits(git, head))
    kept = [raw for raw in raws if EARLIEST <= raw.stamp < now]
    pulls = _pull_heads(git)
    until = _known_until(git, now=now)
    who = identities.people(
        [raw.author for raw in kept] + [each for raw in kept for each in raw.coauthors] + [each[2] for each in pulls]
    )
    owners = list(_owner_versions(git, head, project=project))
    events = Events(
        project=project,
        taken_at=until,
        items=tuple(_pull_items(pulls, kept, who, project=project, now=now)),
        commits=tuple(_commit(raw, who[raw.author], rules, project=project) for raw in kept),
        coauthors=tuple(
            Coauthor(project=project, sha=raw.sha, author=who[each].id, bot=_is_bot(each, who[each], rules))
            for raw in kept
            for each in raw.coauthors
        ),
        tags=tuple(tag for tag in _tags(git, project=project) if EARLIEST <= tag.stamp < now),
        owner_versions=tuple(version for version, _ in owners),
        owner_names=tuple(name for _, names in owners for name in names),
        domains=tuple(
            Domain(project=project, author=person.id, domain=person.domain)
            for person in sorted(set(who.values()), key=lambda person: person.id)
            if person.domain
        ),
    )
    return GitRead(
        events=events,
        head=head,
        skipped=len(raws) - len(kept),
        shallow=git.text("rev-parse", "--is-shallow-repository").strip() == "true",
        pull_refs=len(pulls),
    )


def _known_until(git: _Git, *, now: int) -> int:
    """Up to when silence in this copy means silence: its last fetch, else its newest commit on any reference.

    A copy that nobody fetched for months would else be taken for a project that died then.
    """
    newest = git.text("for-each-ref", "--sort=-committerdate", "--count=1", "--format=%(committerdate:unix)").strip()
    known = int(newest) + 1 if newest.isdigit() else 0
    fetched = Path(git.text("rev-parse", "--git-path", "FETCH_HEAD").strip())
    with contextlib.suppress(OSError):
        known = max(known, int((git.path / fetched).stat().st_mtime))
    moved = git.text("log", "-g", "-1", "--format=%gd", "--date=unix", "HEAD").strip() if git.has_reflog() else ""
    found = _REFLOG.search(moved)
    return min(now, max(known, int(found.group(1)) if found else 0))


class _Git:
    """Git in one repository, told to run nothing of the repository's own."""

    def __init__(self, path: Path) -> None:
        if not path.is_dir():
            raise errors.SourceMissing(f"{path} is not a folder.")
        self.path = path
        self._environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_OPTIONAL_LOCKS": "0",
            "LC_ALL": "C.UTF-8",
        }

    def head(self) -> str:
        """The commit of the default branch: HEAD, else the remote's."""
        for name in ("HEAD", "refs/remotes/origin/HEAD"):
            found = self._run("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}", check=False)
            if found.returncode == 0:
                return found.stdout.decode().strip()
        if self._run("rev-parse", "--git-dir", check=False).returncode != 0:
            raise errors.SourceMissing(f"{self.path} is not a git repository.")
        raise errors.SourceBroken(f"The repository in {self.path} has no commit on its default branch.")

    def has_reflog(self) -> bool:
        """Whether HEAD's moves on this computer are on record."""
        return (self.path / self.text("rev-parse", "--git-path", "logs/HEAD").strip()).is_file()

    def text(self, *arguments: str) -> str:
        """A command's whole output."""
        return self._run(*arguments).stdout.decode("utf-8", "surrogateescape")

    def records(self, separator: bytes, *arguments: str) -> Iterator[str]:
        """A command's output in records, as it comes."""
        with subprocess.Popen(
            self._command(arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self._environ
        ) as process:
            rest = b""
            while process.stdout is not None and (part := process.stdout.read(1 << 20)):
                *whole, rest = (rest + part).split(separator)
                for record in whole:
                    yield record.decode("utf-8", "surrogateescape")
            if rest:
                yield rest.decode("utf-8", "surrogateescape")
            stderr = process.stderr.read() if process.stderr else b""
        if process.returncode != 0:
            raise self._broken(stderr)

    def _run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[bytes]:
        try:
            done = subprocess.run(
                self._command(arguments), capture_output=True, env=self._environ, timeout=PATIENCE, check=False
            )
        except FileNotFoundError as error:
            raise errors.SourceMissing("git is not installed.") from error
        except subprocess.TimeoutExpired as error:
            raise errors.SourceBroken(f"git did not answer within {PATIENCE:g} s in {self.path}.") from error
        if check and done.returncode != 0:
            raise self._broken(done.stderr)
        return done

    def _command(self, arguments: tuple[str, ...]) -> list[str]:
        # What a hostile repository's configuration could start is named here and emptied.
        # Reading is offline: a mirror without file contents must not fetch one by one what is not there.
        safe = ("core.fsmonitor=false", "core.hooksPath=/dev/null", "log.showSignature=false", "core.quotePath=false",
                "protocol.allow=never")  # fmt: skip
        settings = [part for setting in safe for part in ("-c", setting)]
        return ["git", "--no-pager", *settings, "-C", str(self.path), *arguments]

    def _broken(self, stderr: bytes) -> errors.SourceBroken:
        lines = stderr.decode("utf-8", "replace").strip().splitlines()
        return errors.SourceBroken(f"git cannot read {self.path}: {lines[-1][:300] if lines else 'no reason given'}.")


def _commits(git: _Git, head: str) -> Iterator[_Raw]:
    for record in git.records(b"\x1e", "log", f"--format={_FORMAT}", "--no-color", head):
        fields = record.rstrip("\n").split("\x00")
        if len(fields) != len(_FIELDS):
            continue
        sha, parents, stamp, name, address, committer, trailers, subject = fields
        yield _Raw(
            sha,
            len(parents.split()),
            int(stamp) if stamp.lstrip("-").isdigit() else 0,
            (name, address.lower()),
            committer.lower() in _WEB,
            tuple(found for text in trailers.split("\x1f") if (found := _signature(text))),
            subject,
        )


def _signature(text: str) -> Signature | None:
    name, separator, address = text.strip().rpartition("<")
    return (name.strip(), address.rstrip("> ").lower()) if separator else None


def _commit(raw: _Raw, person: Person, rules: BotRules, *, project: str) -> Commit:
    return Commit(
        project=project,
        sha=raw.sha,
        parents=raw.parents,
        stamp=raw.stamp,
        author=person.id,
        bot=_is_bot(raw.author, person, rules),
        web=raw.web,
    )


def _is_bot(signature: Signature, person: Person, rules: BotRules) -> bool:
    name, address = signature
    return any(rules.reason(each) for each in (person.login, address.partition("@")[0], name) if each)


def _tags(git: _Git, *, project: str) -> Iterator[Tag]:
    for line in git.text("for-each-ref", "--format=%(refname:strip=2)%00%(creatordate:unix)", "refs/tags").splitlines():
        name, _, stamp = line.partition("\x00")
        if stamp.isdigit():
            yield Tag(project=project, name=name, stamp=int(stamp))


def _pull_heads(git: _Git) -> list[tuple[int, int, Signature, str]]:
    """Number, commit time, author and commit of each `refs/pull/N/head`; none in an ordinary clone."""
    form = "%(refname)%00%(committerdate:unix)%00%(authorname)%00%(authoremail:trim)%00%(objectname)"
    found = []
    for line in git.text("for-each-ref", f"--format={form}", "refs/pull/*/head").splitlines():
        name, stamp, author, address, sha = line.split("\x00")
        number = name.split("/")[2]
        if number.isdigit() and stamp.isdigit():
            found.append((int(number), int(stamp), (author, address.lower()), sha))
    return found


def _pull_items(
    pulls: list[tuple[int, int, Signature, str]],
    commits: list[_Raw],
    who: Mapping[Signature, Person],
    *,
    project: str,
    now: int,
) -> Iterator[Item]:
    opened = pullrefs.opening_times([(number, stamp) for number, stamp, _, _ in pulls])
    reachable = {raw.sha: raw.stamp for raw in commits}
    named = {number: raw.stamp for raw in reversed(commits) if (number := _named_pull(raw.subject))}
    for number, _, author, sha in pulls:
        if not EARLIEST <= opened[number] < now:
            continue
        merged = reachable.get(sha) or named.get(number)
        person = who[author]
        yield Item(
            project=project,
            kind="pull",
            number=number,
            actor=person.login or f"git:{person.id}",
            association="",
            stamp=opened[number],
            closed_at=None if merged is None else max(merged, opened[number]),
            merged_at=None if merged is None else max(merged, opened[number]),
        )


def _named_pull(subject: str) -> int:
    """The N of a squash commit's `… (#N)` or of `Merge pull request #N`; 0 for none."""
    text = subject.rstrip()
    if text.startswith("Merge pull request #"):
        number = text.removeprefix("Merge pull request #").partition(" ")[0]
        return int(number) if number.isdigit() else 0
    if text.endswith(")") and "(#" in text:
        number = text[:-1].rpartition("(#")[2]
        return int(number) if number.isdigit() else 0
    return 0


def _owner_versions(git: _Git, head: str, *, project: str) -> Iterator[tuple[OwnerVersion, list[OwnerName]]]:
    """Every version of every ownership file on the first-parent history, oldest first."""
    patterns = [f":(glob)**/{name}" for name in ownerfiles.NAMES] + [":(glob)MAINTAINERS*", ":(glob)*/MAINTAINERS*"]
    log = ("log", "--reverse", "--no-renames", "--name-status", "-z", "--format=%x1e%H%x00%ct", head, "--", *patterns)
    position = 0
    for record in git.records(b"\x1e", *log):
        fields = [field for field in record.replace("\n", "\x00").split("\x00") if field]
        if len(fields) < 2:
            continue
        sha, stamp = fields[0], int(fields[1])
        for status, path in zip(fields[2::2], fields[3::2], strict=False):
            if not ownerfiles.is_owner_file(path) or stamp < EARLIEST:
                continue
            deleted = status.startswith("D")
            try:
                text = "" if deleted else git.text("show", f"{sha}:{path}")
            except errors.SourceBroken:
                continue  # the content is not in this copy: who stood in that version is not known
            names = [] if deleted else sorted(ownerfiles.logins(path, text))
            version = OwnerVersion(project=project, path=path, position=position, stamp=stamp, deleted=deleted)
            yield version, [OwnerName(project=project, path=path, position=position, actor=each) for each in names]
            position += 1
