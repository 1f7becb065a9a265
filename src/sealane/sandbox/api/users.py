"""Who a request comes from: a bearer token, or a client certificate of the cluster's own CA.

A token nobody knows is refused with 401; no credentials at all make an anonymous user, who may read the version and
the health and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping

from sealane.sandbox.api.errors import StatusError
from sealane.sandbox.api.wire import ANONYMOUS, Request, User

AUTHENTICATED = "system:authenticated"
PEER = "sealane.peer"


class Users:
    """The users of one cluster by their tokens; a test may revoke or add one at any time."""

    def __init__(self, by_token: Mapping[str, User]) -> None:
        self._by_token = dict(by_token)

    def authenticate(self, request: Request) -> User:
        """The user of a request. Raises StatusError (401)."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            user = self._by_token.get(token.strip())
            if user is None:
                raise unauthorized()
            return user
        if scheme:
            raise unauthorized()
        return _of_certificate(request) or ANONYMOUS

    def add(self, token: str, user: User) -> None:
        """Let in who shows this token."""
        self._by_token[token] = user

    def revoke(self, token: str) -> None:
        """Let in nobody with this token any more."""
        self._by_token.pop(token, None)


def service_account(namespace: str, name: str) -> User:
    """The user that a service account is."""
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", AUTHENTICATED)
    return User(f"system:serviceaccount:{namespace}:{name}", groups)


def unauthorized() -> StatusError:
    """401, in the server's word."""
    return StatusError(401, "Unauthorized", "Unauthorized")


def _of_certificate(request: Request) -> User | None:
    subject = ((request.scope.get("extensions") or {}).get(PEER) or {}).get("subject")
    if not subject:
        return None
    pairs = [pair for part in subject for pair in part]
    name = next((value for key, value in pairs if key == "commonName"), "")
    groups = tuple(value for key, value in pairs if key == "organizationName")
    return User(name, (*groups, AUTHENTICATED)) if name else None
