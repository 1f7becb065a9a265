"""What GitHub is asked by GraphQL: no more than the event model needs, and no text that people wrote but titles.

A query costs one point for each hundred connections in it. A pull request's comments and reviews are asked as one
timeline, so a page of a hundred items with all their answers costs one point, not two.
"""

from __future__ import annotations

from collections.abc import Sequence

_COST = "rateLimit { cost remaining limit resetAt }"
_WHO = "authorAssociation author { login __typename }"
_PAGE = "pageInfo { hasNextPage endCursor }"
_COMMENTS = f"{{ {_PAGE} nodes {{ id createdAt {_WHO} }} }}"
_TIMELINE = (
    f"{{ {_PAGE} nodes {{ __typename ... on IssueComment {{ id createdAt {_WHO} }} "
    f"... on PullRequestReview {{ id createdAt state {_WHO} }} }} }}"
)
_KINDS = "itemTypes: [ISSUE_COMMENT, PULL_REQUEST_REVIEW]"
_ITEM = f"id number title url state createdAt updatedAt closedAt {_WHO}"

FACTS = f"""query($owner: String!, $name: String!) {{ {_COST} repository(owner: $owner, name: $name) {{
  databaseId nameWithOwner url isArchived archivedAt isFork isPrivate isEmpty mirrorUrl hasIssuesEnabled
  issues {{ totalCount }} pullRequests {{ totalCount }} }} }}"""


def issues(*, changed: bool) -> str:
    """A page of issues: all, oldest first, or those changed since $since."""
    since, filtered = (", $since: DateTime!", ", filterBy: {since: $since}") if changed else ("", "")
    order = "{field: UPDATED_AT, direction: ASC}" if changed else "{field: CREATED_AT, direction: ASC}"
    return f"""query($owner: String!, $name: String!, $size: Int!, $after: String{since}) {{ {_COST}
  repository(owner: $owner, name: $name) {{ databaseId
    page: issues(first: $size, after: $after, orderBy: {order}{filtered}) {{ {_PAGE}
      nodes {{ {_ITEM} comments(first: 100) {_COMMENTS} }} }} }} }}"""


def pulls(*, changed: bool) -> str:
    """A page of pull requests: all, oldest first, or by their last change, newest first (there is no filter)."""
    order = "{field: UPDATED_AT, direction: DESC}" if changed else "{field: CREATED_AT, direction: ASC}"
    return f"""query($owner: String!, $name: String!, $size: Int!, $after: String) {{ {_COST}
  repository(owner: $owner, name: $name) {{ databaseId
    page: pullRequests(first: $size, after: $after, orderBy: {order}) {{ {_PAGE}
      nodes {{ {_ITEM} mergedAt mergedBy {{ login __typename }}
        timelineItems(first: 100, {_KINDS}) {_TIMELINE} }} }} }} }}"""


def rest_of(kinds: Sequence[str]) -> str:
    """The next answers of some items with more than a page holds; `kinds` is issue or pull for each item."""
    variables = ", ".join(f"$i{place}: ID!, $c{place}: String!" for place in range(len(kinds)))
    wanted = {
        "issue": "... on Issue {{ comments(first: 100, after: $c{place}) {shape} }}",
        "pull": "... on PullRequest {{ timelineItems(first: 100, after: $c{place}, {kinds}) {shape} }}",
    }
    parts = [
        f"a{place}: node(id: $i{place}) {{ "
        + wanted[kind].format(place=place, kinds=_KINDS, shape=_COMMENTS if kind == "issue" else _TIMELINE)
        + " }"
        for place, kind in enumerate(kinds)
    ]
    return f"query({variables}) {{ {_COST} {' '.join(parts)} }}"
