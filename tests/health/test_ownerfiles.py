"""Ownership files: who stands in them, and who does not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealane.health.ownerfiles import is_owner_file, logins

CODEOWNERS = """
# the whole thing
*        @ann @acme/reviewers bob@example.com
/docs/   @Cho-Lee  # not @a/team
"""
OWNERS = """
approvers:
- ann
- "bob"   # since 2020
reviewers:
  - cho
emeritus_approvers:
- dia
"""
MAINTAINERS = """
# Maintainers
| Ann | [@ann](https://github.com/ann) | Acme |
| Bob | https://github.com/Bob/ | |
# Emeritus
| Cho | @cho |
"""


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("CODEOWNERS", CODEOWNERS, {"ann", "cho-lee"}),
        (".github/CODEOWNERS", "* someone@example.com", set()),
        ("pkg/OWNERS", OWNERS, {"ann", "bob", "cho"}),
        ("MAINTAINERS.md", MAINTAINERS, {"ann", "bob"}),
        ("OWNERS", "&a [*a, !!python/object/apply:os.system ['x']]", set()),
        ("OWNERS", "", set()),
    ],
)
def test_logins_are_read_and_teams_addresses_and_former_ones_are_not(path: str, text: str, expected: set[str]) -> None:
    assert logins(path, text) == expected


def test_a_file_without_end_names_nobody() -> None:
    assert logins("CODEOWNERS", "@ann " * 300_000) == frozenset()


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("OWNERS", True),
        ("pkg/deep/down/OWNERS", True),
        ("OWNERS_ALIASES", True),
        (".github/CODEOWNERS", True),
        ("MAINTAINERS", True),
        ("docs/MAINTAINERS.md", True),
        ("a/b/c/MAINTAINERS.md", False),
        ("OWNERS.txt", False),
        ("src/owners.go", False),
    ],
)
def test_only_these_files_count(path: str, expected: bool) -> None:
    assert is_owner_file(path) is expected


@given(st.sampled_from(["CODEOWNERS", "OWNERS", "MAINTAINERS"]), st.text(max_size=300))
def test_no_text_breaks_the_reading(path: str, text: str) -> None:
    assert all(name == name.lower() for name in logins(path, text))
