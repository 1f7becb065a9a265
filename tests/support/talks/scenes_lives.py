# ruff: noqa: E501 - a command reads as a person would type it, in one line
"""Lives of objects: finalizers, owners, waiting, replacing by force, pruning, events by hand, tokens, reviews."""

from __future__ import annotations

from talks import manifests
from talks.script import Scene, do, say

_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: NAME}\ndata: {n: '1'}\n"
_HELD = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: held, finalizers: [example.com/keep]}\n"
_LABELLED = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: NAME, labels: {set: one}}\n"
_EVENT = """
apiVersion: v1
kind: Event
metadata: {name: noted}
involvedObject: {apiVersion: v1, kind: ConfigMap, name: held, namespace: "{ns}"}
reason: Noted
message: somebody wrote this
type: Warning
source: {component: person}
"""
_NEW_EVENT = """
apiVersion: events.k8s.io/v1
kind: Event
metadata: {name: said}
regarding: {apiVersion: v1, kind: ConfigMap, name: held, namespace: "{ns}"}
reason: Said
note: somebody said this
action: Talking
type: Normal
eventTime: "2026-11-24T10:00:00.000000Z"
reportingController: example.com/person
reportingInstance: person-1
"""
_ASK = "apiVersion: authorization.k8s.io/v1\nkind: KIND\nspec: SPEC\n"


def _review(kind: str, spec: str) -> str:
    return _ASK.replace("KIND", kind).replace("SPEC", spec)


LIVES = Scene(
    name="talk-lives",
    lines=(
        say("life-finalizer", "create -f -", stdin=_HELD),
        say("life-delete-held", "delete cm held --wait=false"),
        say("life-held-read", "get cm held -o jsonpath='{.metadata.finalizers} {.metadata.deletionGracePeriodSeconds}'"),
        say("life-held-change", "patch cm held -p '{\"data\":{\"late\":\"yes\"}}'"),
        say("life-held-add", "patch cm held -p '{\"metadata\":{\"finalizers\":[\"example.com/more\"]}}'"),
        say("life-held-bad", "patch cm held --type=merge -p '{\"metadata\":{\"finalizers\":[\"not valid\"]}}'"),
        say("life-held-let-go", "patch cm held --type=merge -p '{\"metadata\":{\"finalizers\":null}}'"),
        say("life-held-gone", "get cm held"),
        say("life-short-finalizer", "create -f -", stdin=_HELD.replace("example.com/keep", "keep")),
        do("apply -f -", stdin=manifests.WEB),
        do("rollout status deployment/web --timeout=50s"),
        say("wait-created", "wait cm/settings --for=create --timeout=1s"),
        say("wait-created-never", "wait cm/never --for=create --timeout=1s"),
        say("wait-by-label", "wait deployment -l app=web --for=condition=Available --timeout=20s"),
        say("wait-by-label-none", "wait deployment -l app=none --for=condition=Available --timeout=1s"),
        say("wait-not-condition", "wait deployment/web --for=condition=Available=false --timeout=1s"),
        say("wait-field", "wait deployment/web --for=jsonpath='{.status.readyReplicas}'=2 --timeout=20s"),
        say("wait-field-exists", "wait deployment/web --for=jsonpath='{.spec.replicas}' --timeout=1s"),
        say("wait-bad", "wait deployment/web --for=happiness --timeout=1s"),
        say("wait-bad-field", "wait deployment/web --for=jsonpath='{.status.nothing}'=2 --timeout=1s"),
        say("wait-all", "wait deployment --all --for=condition=Available --timeout=20s"),
        say("rollout-status-no-watch", "rollout status deployment/web --watch=false"),
        say("replace-force", "replace --force -f -", stdin=_MAP.replace("NAME", "settings")),
        say("replace-force-new", "replace --force -f -", stdin=_MAP.replace("NAME", "unseen")),
        say("replace-saves", "replace --save-config -f -", stdin=_MAP.replace("NAME", "unseen")),
        say("replace-saved", "get cm unseen -o yaml"),
        say("patch-scale", "patch deployment web --subresource=scale --type=merge -p '{\"spec\":{\"replicas\":3}}'"),
        say("patch-scale-bad", "patch deployment web --subresource=scale --type=merge -p '{\"spec\":{\"replicas\":-2}}'"),
        say("patch-scale-read", "get deployment web --subresource=scale -o jsonpath='{.kind} {.spec} {.status.selector}'"),
        say("patch-status-claim", "create -f -", stdin=manifests.CLAIM),
        say("patch-status", "patch pvc data --subresource=status --type=merge -p '{\"status\":{\"capacity\":{\"storage\":\"2Gi\"}}}'"),
        say("patch-status-read", "get pvc data --subresource=status -o jsonpath='{.status}'"),
        say("patch-status-spec", "patch pvc data --type=merge -p '{\"status\":{\"phase\":\"Bound\"}}'"),
        say("patch-status-unmoved", "get pvc data -o jsonpath='{.status.phase}'"),
        say("patch-unknown-subresource", "patch cm settings --subresource=colour -p '{}'"),
        say("patch-file", "patch -f - --type=merge -p '{\"data\":{\"m\":\"2\"}}'", stdin=_MAP.replace("NAME", "unseen")),
        say("patch-dry", "patch cm unseen -p '{\"data\":{\"z\":\"9\"}}' --dry-run=server -o jsonpath='{.data}'"),
        say("patch-no-names", "patch cm -p '{}'"),
        say("apply-prune-first", "apply -f -", stdin=_LABELLED.replace("NAME", "kept") + "---\n" + _LABELLED.replace("NAME", "pruned")),
        say("apply-prune", "apply --prune -l set=one --prune-allowlist=core/v1/ConfigMap -f -", stdin=_LABELLED.replace("NAME", "kept")),
        say("apply-pruned", "get cm -l set=one -o name"),
        say("apply-set-last", "apply set-last-applied -f - --create-annotation", stdin=_MAP.replace("NAME", "unseen")),
        say("apply-view-last", "apply view-last-applied cm unseen -o json"),
        say("apply-removes", "apply -f - -o jsonpath='{.data}'", stdin=_MAP.replace("NAME", "unseen").replace("data: {n: '1'}", "data: {o: '1'}")),
        say("apply-other-namespace", "apply -f -", stdin=_MAP.replace("NAME", "unseen, namespace: elsewhere")),
        say("event-create", "create -f -", stdin=_EVENT),
        say("event-new-create", "create -f -", stdin=_NEW_EVENT),
        say("event-elsewhere", "create -f -", stdin=_EVENT.replace('namespace: "{ns}"', "namespace: other").replace("noted", "other")),
        say("event-new-bad", "create -f -", stdin=_NEW_EVENT.replace("action: Talking\n", "").replace("said", "other")),
        say("event-new-bad-type", "create -f -", stdin=_NEW_EVENT.replace("Normal", "Loud").replace("said", "other")),
        say("events-for", "events --for configmap/held", sort=True),
        say("events-warning", "events --types=Warning --for configmap/held"),
        say("events-none", "events --for configmap/settings"),
        say("events-bad-type", "events --types=Loud"),
        say("events-bad-for", "events --for gadget/held"),
        say("event-as-new", "get events.events.k8s.io noted -o jsonpath='{.regarding.name} {.note} {.deprecatedSource}'"),
        say("event-as-old", "get events said -o jsonpath='{.involvedObject.name} {.message} {.reportingComponent} {.source}'"),
        say("event-by-reason", "get events --field-selector reason=Noted,type=Warning -o name"),
        do("create serviceaccount robot"),
        say("token-shape", "create token robot -o jsonpath='{.kind} {.spec.expirationSeconds} {.spec.boundObjectRef}'"),
        say("token-duration", "create token robot --duration=30m -o jsonpath='{.spec.expirationSeconds}'"),
        say("token-too-short", "create token robot --duration=1m"),
        say("token-bound-missing", "create token robot --bound-object-kind=Secret --bound-object-name=nothing"),
        say("token-bound-kind", "create token robot --bound-object-kind=ConfigMap --bound-object-name=settings"),
        say("token-audience", "create token robot --audience=talks -o jsonpath='{.spec.audiences}'"),
        say("token-missing", "create token nobody-at-all"),
        say("can-i-list-admin", "auth can-i --list", sort=True),
        say("can-i-list-robot", "auth can-i --list", user="system:serviceaccount:talk-lives:robot", sort=True),
        say("whoami-robot", "auth whoami", user="system:serviceaccount:talk-lives:robot"),
        say("review-subject", "create -f - -o jsonpath='{.status}'", stdin=_review("SubjectAccessReview", "{user: nobody, resourceAttributes: {verb: get, resource: pods, namespace: '{ns}'}}")),
        say("review-local", "create -f - -o jsonpath='{.status}'", stdin=_review("LocalSubjectAccessReview", "{user: nobody, resourceAttributes: {verb: get, resource: pods, namespace: '{ns}'}}")),
        say("review-local-other", "create -f -", stdin=_review("LocalSubjectAccessReview", "{user: nobody, resourceAttributes: {verb: get, resource: pods, namespace: other}}")),
        say("review-self", "create -f - -o jsonpath='{.status.allowed}'", stdin=_review("SelfSubjectAccessReview", "{nonResourceAttributes: {path: /metrics, verb: get}}")),
        say("review-nothing", "create -f -", stdin=_review("SelfSubjectAccessReview", "{}")),
        say("review-both", "create -f -", stdin=_review("SelfSubjectAccessReview", "{resourceAttributes: {verb: get}, nonResourceAttributes: {path: /, verb: get}}")),
        say("review-nobody", "create -f -", stdin=_review("SubjectAccessReview", "{resourceAttributes: {verb: get, resource: pods}}")),
        say("review-rules", "create -f - -o jsonpath='{.status.incomplete}'", stdin=_review("SelfSubjectRulesReview", "{namespace: '{ns}'}")),
        say("review-rules-nowhere", "create -f -", stdin=_review("SelfSubjectRulesReview", "{}")),
        say("review-token-bad", "create -f - -o jsonpath='{.status.authenticated}'", stdin="apiVersion: authentication.k8s.io/v1\nkind: TokenReview\nspec: {token: nonsense}\n"),
        say("owner-cascade", "delete deployment web --cascade=background"),
        do("get rs -l app=web", until="No resources"),
        say("owner-none", "get rs,pods -l app=web", until="No resources"),
        say("owner-bad", "create -f -", stdin=_MAP.replace("NAME", "owned, ownerReferences: [{apiVersion: v1, kind: ConfigMap, name: x}]")),
        say("owner-two-controllers", "create -f -", stdin=_MAP.replace("NAME", "owned, ownerReferences: [{apiVersion: v1, kind: ConfigMap, name: x, uid: a, controller: true}, {apiVersion: v1, kind: ConfigMap, name: y, uid: b, controller: true}]")),
        say("delete-all", "delete cm -l set=one --all", sort=True),
        say("delete-grace-bad", "delete cm unseen --grace-period=0"),
        say("get-several-missing", "get cm unseen secret/none"),
        say("get-by-file", "get -f -", stdin=_MAP.replace("NAME", "settings")),
        say("get-ignored", "get cm none --ignore-not-found"),
        say("get-show-kind", "get cm settings --show-kind --no-headers"),
        say("get-no-server-print", "get cm settings --server-print=false"),
        say("get-json-list", "get cm settings -o jsonpath-as-json='{.data}'"),
        say("get-bad-output", "get cm settings -o colour"),
        say("cluster-info", "cluster-info"),
    ),
)  # fmt: skip
SCENES = (LIVES,)
