# ruff: noqa: E501 - a command reads as a person would type it, in one line
"""Lists and watches as a client asks for them: pages, revisions, bookmarks, time limits, and questions that make no sense."""

from __future__ import annotations

from talks.script import Line, Scene, do, say

_MAPS = "/api/v1/namespaces/{ns}/configmaps"
_MINE = "labelSelector=talk%3Dyes"
_LIST = "".join(
    f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, labels: {{talk: 'yes'}}}}\ndata: {{k: '{name}'}}\n---\n"
    for name in ("a", "b", "c")
)
_WORKLOAD = "/apis/apps/v1/namespaces/{ns}/deployments"


def _raw(id: str, query: str, path: str = _MAPS, **more: object) -> Line:  # noqa: A002 - a column of the table
    return say(id, f"get --raw '{path}?{query}'", **more)


WATCH = Scene(
    name="talk-watch",
    lines=(
        do("apply -f -", stdin=_LIST),
        _raw("list-page", f"limit=2&{_MINE}", "/api/v1/namespaces/{ns}/configmaps"),
        say("list-chunks", "get cm -l talk=yes --chunk-size=1"),
        _raw("list-all-at-once", f"{_MINE}&limit=500"),
        _raw("list-from-cache", f"{_MINE}&resourceVersion=0"),
        _raw("list-not-older", f"{_MINE}&resourceVersion=1&resourceVersionMatch=NotOlderThan"),
        _raw("list-field", "fieldSelector=metadata.name%3Db"),
        _raw("list-field-not", f"fieldSelector=metadata.name!%3Db&{_MINE}"),
        _raw("list-nothing", "labelSelector=talk%3Dno"),
        _raw("list-bad-limit", "limit=some"),
        _raw("list-negative-limit", "limit=-1&labelSelector=talk%3Dno"),
        _raw("list-bad-continue", "limit=1&continue=nonsense"),
        _raw("list-bad-selector", "labelSelector=a%20in%20b"),
        _raw("list-bad-field", "fieldSelector=data.k%3Db"),
        _raw("list-broken-field", "fieldSelector=nonsense"),
        _raw("list-bad-version", "resourceVersion=some"),
        _raw("list-match-alone", "resourceVersionMatch=Exact"),
        _raw("list-match-unknown", "resourceVersion=1&resourceVersionMatch=Perhaps"),
        _raw("list-exact-zero", "resourceVersion=0&resourceVersionMatch=Exact"),
        _raw("list-continue-match", "resourceVersion=1&resourceVersionMatch=Exact&continue=abc"),
        _raw("list-send-initial", "sendInitialEvents=true"),
        _raw("list-bad-timeout", "timeoutSeconds=soon"),
        _raw("watch-from-zero", f"watch=1&timeoutSeconds=1&resourceVersion=0&{_MINE}", sort=True),
        _raw("watch-from-nothing", f"watch=1&timeoutSeconds=1&{_MINE}", sort=True),
        _raw("watch-one", "watch=1&timeoutSeconds=1&resourceVersion=0&fieldSelector=metadata.name%3Da"),
        _raw("watch-none", "watch=1&timeoutSeconds=1&resourceVersion=0&labelSelector=talk%3Dno"),
        _raw("watch-list", f"watch=1&timeoutSeconds=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&{_MINE}", sort=True),
        _raw("watch-list-empty", "watch=1&timeoutSeconds=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&labelSelector=talk%3Dno"),
        _raw("watch-list-no-match", "watch=1&timeoutSeconds=1&sendInitialEvents=true&allowWatchBookmarks=true"),
        _raw("watch-list-exact", "watch=1&timeoutSeconds=1&sendInitialEvents=true&resourceVersionMatch=Exact&allowWatchBookmarks=true"),
        _raw("watch-match-alone", "watch=1&timeoutSeconds=1&resourceVersionMatch=NotOlderThan"),
        _raw("watch-not-initial", f"watch=1&timeoutSeconds=1&sendInitialEvents=false&resourceVersionMatch=NotOlderThan&{_MINE}"),
        _raw("watch-bad-version", "watch=1&timeoutSeconds=1&resourceVersion=some"),
        _raw("watch-one-by-path", "watch=1&timeoutSeconds=1&resourceVersion=0", "/api/v1/watch/namespaces/{ns}/configmaps/a"),
        _raw("watch-kind-by-path", f"timeoutSeconds=1&resourceVersion=0&{_MINE}", "/api/v1/watch/namespaces/{ns}/configmaps", sort=True),
        say("watch-flag", "get cm -l talk=yes --watch --request-timeout=2s", sort=True),
        say("watch-flag-only", "get cm -l talk=yes --watch-only --request-timeout=1s"),
        say("watch-flag-events", "get cm a --watch --output-watch-events --request-timeout=1s"),
        say("watch-flag-name", "get cm a --watch -o name --request-timeout=1s"),
        say("watch-flag-missing", "get cm nobody --watch --request-timeout=1s"),
        say("watch-flag-two", "get cm a b --watch --request-timeout=1s"),
        say("create-raw", "create --raw " + _MAPS + " -f -", stdin='{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"raw"}}'),
        say("create-raw-wrong-kind", "create --raw " + _MAPS + " -f -", stdin='{"apiVersion":"v1","kind":"Secret","metadata":{"name":"raw"}}'),
        say("create-raw-no-kind", "create --raw " + _MAPS + " -f -", stdin='{"metadata":{"name":"unkind"}}'),
        say("create-raw-no-name", "create --raw " + _MAPS + " -f -", stdin='{"apiVersion":"v1","kind":"ConfigMap","metadata":{}}'),
        say("create-raw-other-place", "create --raw " + _MAPS + " -f -", stdin='{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"raw","namespace":"other"}}'),
        say("create-raw-version", "create --raw " + _MAPS + " -f -", stdin='{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"versioned","resourceVersion":"5"}}'),
        say("create-raw-dry", "create --raw '" + _MAPS + "?dryRun=Some' -f -", stdin='{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"dry"}}'),
        say("create-raw-strict", "create --raw '" + _MAPS + "?fieldValidation=Strict' -f -", stdin='{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"strict"},"dta":{}}'),
        say("create-raw-validation", "create --raw '" + _MAPS + "?fieldValidation=Perhaps' -f -", stdin='{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"strict"}}'),
        say("create-raw-manager", "create --raw '" + _MAPS + "?fieldManager=someone' -f -", stdin='{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"managed"}}'),
        say("replace-raw-name", "replace --raw " + _MAPS + "/a -f -", stdin='{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"b"}}'),
        say("replace-raw-create", "replace --raw " + _MAPS + "/fresh -f -", stdin='{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"fresh"}}'),
        say("delete-raw", "delete --raw " + _MAPS + "/raw"),
        say("delete-raw-again", "delete --raw " + _MAPS + "/raw"),
        say("delete-raw-precondition", "delete --raw " + _MAPS + "/b -f -", stdin='{"apiVersion":"v1","kind":"DeleteOptions","preconditions":{"uid":"11111111-2222-3333-4444-555555555555"}}'),
        say("delete-raw-policy", "delete --raw " + _MAPS + "/b -f -", stdin='{"apiVersion":"v1","kind":"DeleteOptions","propagationPolicy":"Sideways"}'),
        say("delete-raw-both", "delete --raw " + _MAPS + "/b -f -", stdin='{"apiVersion":"v1","kind":"DeleteOptions","propagationPolicy":"Orphan","orphanDependents":true}'),
        say("method-not-allowed", "create --raw " + _MAPS + "/a -f -", stdin="{}"),
        _raw("path-unknown", "", "/api/v1/namespaces/{ns}/gadgets"),
        _raw("path-deeper", "", _MAPS + "/a/status"),
        _raw("path-scale", "", _WORKLOAD + "/nobody/scale"),
        _raw("openapi-paths", "", "/openapi/v3/apis/none.example/v1"),
    ),
)  # fmt: skip
SCENES = (WATCH,)
