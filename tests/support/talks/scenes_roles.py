# ruff: noqa: E501 - a command reads as a person would type it, in one line
"""Roles: nobody gives what they do not have; aggregated roles; reconciling; and what is wrong with some."""

from __future__ import annotations

from talks.script import Scene, do, say

_GIVER = """
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: giver}
rules:
- {apiGroups: [rbac.authorization.k8s.io], resources: [roles, rolebindings], verbs: [create, get, update, patch, list]}
- {apiGroups: [""], resources: [pods], verbs: [get, list]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: giver}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: giver}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: erin}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: strong}
rules:
- {apiGroups: [""], resources: [secrets], verbs: [get, list, watch]}
- {apiGroups: [apps], resources: [deployments], verbs: ["*"]}
"""
_MANY = """
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: many, namespace: "{ns}"}
rules:
- {apiGroups: ["", apps], resources: [pods, deployments], verbs: [get, delete]}
- {apiGroups: [""], resources: [configmaps], resourceNames: [settings], verbs: [update]}
"""
_WHOLE = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: talk-whole}
aggregationRule: {clusterRoleSelectors: [{matchLabels: {talk/part: "yes"}}]}
rules: []
"""
_PART = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: talk-part, labels: {talk/part: "yes"}}
rules: [{apiGroups: [""], resources: [pods], verbs: [list]}]
"""


def _binding(
    subject: str = "{apiGroup: rbac.authorization.k8s.io, kind: User, name: x}",
    role: str = "{apiGroup: rbac.authorization.k8s.io, kind: Role, name: giver}",
) -> str:
    return f"apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {{name: bad}}\nroleRef: {role}\nsubjects: [{subject}]\n"


def _role(rule: str, kind: str = "Role") -> str:
    return f"apiVersion: rbac.authorization.k8s.io/v1\nkind: {kind}\nmetadata: {{name: bad}}\nrules: [{rule}]\n"


ROLES = Scene(
    name="talk-roles",
    leaves=("clusterrole/talk-whole", "clusterrole/talk-part"),
    lines=(
        do("apply -f -", stdin=_GIVER),
        do("auth can-i create roles", user="erin", until="yes"),
        say("role-within", "create role within --verb=get --resource=pods", user="erin"),
        say("role-beyond", "create role beyond --verb=delete --resource=pods", user="erin"),
        say("role-beyond-many", "create -f -", stdin=_MANY, user="erin"),
        say("role-star", "create role star --verb='*' --resource=pods", user="erin"),
        say(
            "role-raise",
            'patch role within --type=json -p \'[{"op":"add","path":"/rules/0/verbs/-","value":"delete"}]\'',
            user="erin",
        ),
        say("role-bind-own", "create rolebinding own --role=within --user=frank", user="erin"),
        say("role-bind-strong", "create rolebinding stronger --role=strong --user=frank", user="erin"),
        say("role-bind-missing", "create rolebinding missing --role=nothing --user=frank", user="erin"),
        say(
            "role-bind-cluster-admin", "create rolebinding admin --clusterrole=cluster-admin --user=frank", user="erin"
        ),
        do("create role binds --verb=bind --resource=roles --resource-name=strong"),
        do("create rolebinding binds --role=binds --user=erin"),
        do("auth can-i bind role/strong", user="erin", until="yes"),
        say("role-bind-allowed", "create rolebinding stronger --role=strong --user=frank", user="erin"),
        do("create role escalates --verb=escalate --resource=roles"),
        do("create rolebinding escalates --role=escalates --user=erin"),
        do("auth can-i escalate roles", user="erin", until="yes"),
        say("role-escalated", "create role beyond --verb=delete --resource=pods", user="erin"),
        do("apply -f -", stdin=_WHOLE + "---" + _PART),
        do("get clusterrole talk-whole -o jsonpath='{.rules}'", until="pods"),
        say("role-aggregated", "get clusterrole talk-whole -o jsonpath='{.rules} {.aggregationRule}'"),
        say("role-aggregated-describe", "describe clusterrole talk-whole"),
        do('patch clusterrole talk-part --type=json -p \'[{"op":"add","path":"/rules/0/verbs/-","value":"watch"}]\''),
        do("get clusterrole talk-whole -o jsonpath='{.rules}'", until="watch"),
        say("role-aggregated-grown", "get clusterrole talk-whole -o jsonpath='{.rules}'"),
        say("role-reconcile", "auth reconcile -f -", stdin=_MANY),
        say("role-reconcile-again", "auth reconcile -f -", stdin=_MANY),
        say(
            "role-reconcile-less",
            "auth reconcile --remove-extra-permissions -f -",
            stdin=_MANY.replace("[get, delete]", "[get]"),
        ),
        say(
            "role-ref-fixed",
            'patch rolebinding giver -p \'{"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"Role","name":"strong"}}\'',
        ),
        say("role-bad-subject", "create -f -", stdin=_binding("{kind: Robot, name: x}")),
        say("role-bad-account", "create -f -", stdin=_binding("{kind: ServiceAccount, name: x}")),
        say(
            "role-bad-ref",
            "create -f -",
            stdin=_binding(role="{apiGroup: rbac.authorization.k8s.io, kind: Group, name: x}"),
        ),
        say(
            "role-bad-ref-name", "create -f -", stdin=_binding(role="{apiGroup: rbac.authorization.k8s.io, kind: Role}")
        ),
        say("role-bad-verbs", "create -f -", stdin=_role("{apiGroups: [''], resources: [pods]}")),
        say("role-bad-resources", "create -f -", stdin=_role("{apiGroups: [''], verbs: [get]}")),
        say("role-bad-groups", "create -f -", stdin=_role("{resources: [pods], verbs: [get]}")),
        say("role-bad-url", "create -f -", stdin=_role("{nonResourceURLs: [/healthz], verbs: [get]}")),
    ),
)
SCENES = (ROLES,)
