# ruff: noqa: E501 - a command reads as a person would type it, in one line
"""Other kinds: Ingress, NetworkPolicy, StatefulSet, DaemonSet, PriorityClass and CRDs: fields that stay, and mistakes."""

from __future__ import annotations

from talks.script import Scene, do, say

_SET = """
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  replicas: 1
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {terminationGracePeriodSeconds: 1, containers: [{name: main, image: "nginx:1.27"}]}
"""
_EVERYWHERE = (
    _SET.replace("StatefulSet", "DaemonSet").replace("  serviceName: db\n  replicas: 1\n", "").replace("db", "all")
)


def _ingress(spec: str, name: str = "bad") -> str:
    return f"apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: {name}}}\nspec: {spec}\n"


def _rule(path: str) -> str:
    return _ingress(f"{{rules: [{{host: a.example, http: {{paths: [{path}]}}}}]}}")


def _policy(spec: str, name: str = "bad") -> str:
    return f"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: {name}}}\nspec: {spec}\n"


_BACKEND = "backend: {service: {name: web, port: {number: 80}}}"
NETWORK = Scene(
    name="talk-network",
    lines=(
        say("ingress-create", "create ingress web --rule='a.example/x*=web:80' --class=none"),
        say("ingress-get", "get ingress"),
        say("ingress-describe", "describe ingress web"),
        say("ingress-spec", "get ingress web -o jsonpath='{.spec}'"),
        say("ingress-empty", "create -f -", stdin=_ingress("{}")),
        say("ingress-bad-path", "create -f -", stdin=_rule(f"{{path: x, pathType: Prefix, {_BACKEND}}}")),
        say("ingress-no-type", "create -f -", stdin=_rule(f"{{path: /x, {_BACKEND}}}")),
        say("ingress-bad-type", "create -f -", stdin=_rule(f"{{path: /x, pathType: Odd, {_BACKEND}}}")),
        say(
            "ingress-no-port",
            "create -f -",
            stdin=_rule("{path: /x, pathType: Prefix, backend: {service: {name: web}}}"),
        ),
        say(
            "ingress-two-ports",
            "create -f -",
            stdin=_rule(
                "{path: /x, pathType: Prefix, backend: {service: {name: web, port: {number: 80, name: http}}}}"
            ),
        ),
        say(
            "ingress-bad-host",
            "create -f -",
            stdin=_ingress(f"{{rules: [{{host: A_B, http: {{paths: [{{path: /, pathType: Prefix, {_BACKEND}}}]}}}}]}}"),
        ),
        say(
            "ingress-ip-host",
            "create -f -",
            stdin=_ingress(
                f"{{rules: [{{host: 10.0.0.1, http: {{paths: [{{path: /, pathType: Prefix, {_BACKEND}}}]}}}}]}}"
            ),
        ),
        say("ingress-no-paths", "create -f -", stdin=_ingress("{rules: [{host: a.example, http: {paths: []}}]}")),
        say("policy-create", "create -f -", stdin=_policy("{podSelector: {}, policyTypes: [Ingress]}", "deny")),
        say("policy-get", "get networkpolicy"),
        say("policy-describe", "describe netpol deny"),
        say(
            "policy-defaults",
            "create -f - -o jsonpath='{.spec}'",
            stdin=_policy("{podSelector: {matchLabels: {a: b}}, egress: [{ports: [{port: 53}]}]}", "some"),
        ),
        say("policy-bad-type", "create -f -", stdin=_policy("{podSelector: {}, policyTypes: [Sideways]}")),
        say(
            "policy-bad-cidr",
            "create -f -",
            stdin=_policy("{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: here}}]}]}"),
        ),
        say(
            "policy-bad-except",
            "create -f -",
            stdin=_policy(
                "{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [11.0.0.0/8]}}]}]}"
            ),
        ),
        say("policy-bad-port", "create -f -", stdin=_policy("{podSelector: {}, ingress: [{ports: [{port: 70000}]}]}")),
        say(
            "policy-bad-protocol",
            "create -f -",
            stdin=_policy("{podSelector: {}, ingress: [{ports: [{port: 80, protocol: XYZ}]}]}"),
        ),
        say("policy-bad-peer", "create -f -", stdin=_policy("{podSelector: {}, ingress: [{from: [{}]}]}")),
        say(
            "policy-mixed-peer",
            "create -f -",
            stdin=_policy("{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8}, podSelector: {}}]}]}"),
        ),
        say(
            "policy-end-port",
            "create -f -",
            stdin=_policy("{podSelector: {}, ingress: [{ports: [{port: 80, endPort: 70}]}]}"),
        ),
        say("ingress-explain", "explain ingress.spec.rules.http.paths.backend"),
        say("policy-explain", "explain networkpolicy.spec.ingress"),
    ),
)
SETS = Scene(
    name="talk-sets",
    leaves=("priorityclass/talk-high",),
    lines=(
        do("apply -f -", stdin=_SET + "---" + _EVERYWHERE),
        do("rollout status statefulset/db --timeout=50s"),
        do("rollout status daemonset/all --timeout=50s"),
        say("set-get", "get statefulset,daemonset -o name"),
        say("set-rollout-status", "rollout status statefulset/db"),
        say("set-history", "rollout history statefulset/db"),
        say("set-history-daemon", "rollout history daemonset/all"),
        say("set-new-image", "set image statefulset/db main=nginx:1.28"),
        do("rollout status statefulset/db --timeout=50s"),
        do("get pod db-0 -o jsonpath='{.spec.containers[0].image} {.status.phase}'", until="nginx:1.28 Running"),
        say("set-history-two", "rollout history statefulset/db"),
        say("set-history-revision", "rollout history statefulset/db --revision=1"),
        say("set-undo", "rollout undo statefulset/db"),
        do("rollout status statefulset/db --timeout=50s"),
        do("get pod db-0 -o jsonpath='{.spec.containers[0].image} {.status.phase}'", until="nginx:1.27 Running"),
        say("set-undone", "get statefulset db -o jsonpath='{.spec.template.spec.containers[0].image}'"),
        say("set-history-three", "rollout history statefulset/db"),
        say("set-daemon-image", "set image daemonset/all main=nginx:1.28"),
        do("rollout status daemonset/all --timeout=50s"),
        say("set-daemon-history", "rollout history daemonset/all"),
        say("set-daemon-undo", "rollout undo daemonset/all"),
        say("set-restart", "rollout restart statefulset/db"),
        say("set-pause", "rollout pause statefulset/db"),
        say("set-fixed-service", 'patch statefulset db -p \'{"spec":{"serviceName":"other"}}\''),
        say("set-fixed-selector", 'patch statefulset db -p \'{"spec":{"selector":{"matchLabels":{"app":"x"}}}}\''),
        say("set-bad-policy", 'patch statefulset db -p \'{"spec":{"updateStrategy":{"type":"Odd"}}}\''),
        say("set-daemon-fixed", 'patch daemonset all -p \'{"spec":{"selector":{"matchLabels":{"app":"x"}}}}\''),
        say(
            "set-daemon-both-zero",
            'patch daemonset all -p \'{"spec":{"updateStrategy":{"rollingUpdate":{"maxUnavailable":0}}}}\'',
        ),
        say("priority-create", "create priorityclass talk-high --value=1000 --description=urgent"),
        say("priority-get", "get priorityclass talk-high"),
        say("priority-fixed", "patch priorityclass talk-high -p '{\"value\":5}'"),
        say("priority-too-high", "create priorityclass talk-over --value=2000000000"),
        say("priority-system", "create priorityclass system-mine --value=5"),
        say(
            "priority-missing",
            "create -f -",
            stdin="apiVersion: v1\nkind: Pod\nmetadata: {name: urgent}\nspec: {priorityClassName: nothing, containers: [{name: main, image: 'nginx:1.27'}]}\n",
        ),
    ),
)
_WIDGETS = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.talk.example}
spec:
  group: talk.example
  scope: Namespaced
  names: {plural: widgets, singular: widget, kind: Widget, listKind: WidgetList, shortNames: [wd]}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}, scale: {specReplicasPath: .spec.size, statusReplicasPath: .status.size, labelSelectorPath: .status.selector}}
    additionalPrinterColumns: [{name: Colour, type: string, jsonPath: .spec.colour}, {name: Size, type: integer, jsonPath: .spec.size}]
    schema:
      openAPIV3Schema:
        type: object
        required: [spec]
        properties:
          spec:
            type: object
            required: [colour]
            properties:
              colour: {type: string, pattern: "^[a-z]+$", minLength: 2, maxLength: 8}
              size: {type: integer, minimum: 1, maximum: 9}
              ratio: {type: number, minimum: 0, exclusiveMinimum: true, multipleOf: 0.5}
              tags: {type: array, items: {type: string}, minItems: 1, maxItems: 2}
              unique: {type: array, x-kubernetes-list-type: set, items: {type: string}}
              keyed: {type: array, x-kubernetes-list-type: map, x-kubernetes-list-map-keys: [name], items: {type: object, required: [name], properties: {name: {type: string}}}}
              when: {type: string, format: date-time}
              span: {type: string, format: duration}
              place: {type: string, format: ipv4}
              extra: {type: object, additionalProperties: {type: integer}, maxProperties: 1}
              kind: {type: string, enum: [small, large]}
              either: {oneOf: [{required: [a]}, {required: [b]}], type: object, properties: {a: {type: string}, b: {type: string}}}
          status: {type: object, properties: {size: {type: integer}, selector: {type: string}}}
"""


def _widget(spec: str) -> str:
    return f"apiVersion: talk.example/v1\nkind: Widget\nmetadata: {{name: one}}\nspec: {spec}\n"


CUSTOM = Scene(
    name="talk-custom",
    leaves=("crd/widgets.talk.example",),
    lines=(
        do("apply -f -", stdin=_WIDGETS),
        do("wait --for=condition=Established crd/widgets.talk.example --timeout=30s"),
        do("get widgets", until="No resources"),
        say("crd-bad-pattern", "create -f -", stdin=_widget("{colour: RED}")),
        say("crd-bad-short", "create -f -", stdin=_widget("{colour: r}")),
        say("crd-bad-long", "create -f -", stdin=_widget("{colour: reddishblue}")),
        say("crd-bad-small", "create -f -", stdin=_widget("{colour: red, size: 0}")),
        say("crd-bad-large", "create -f -", stdin=_widget("{colour: red, size: 10}")),
        say("crd-bad-exclusive", "create -f -", stdin=_widget("{colour: red, ratio: 0}"), sort=True),
        say("crd-bad-multiple", "create -f -", stdin=_widget("{colour: red, ratio: 0.7}")),
        say("crd-bad-few", "create -f -", stdin=_widget("{colour: red, tags: []}")),
        say("crd-bad-many", "create -f -", stdin=_widget("{colour: red, tags: [a, b, c]}")),
        say("crd-bad-set", "create -f -", stdin=_widget("{colour: red, unique: [a, a]}")),
        say("crd-bad-keyed", "create -f -", stdin=_widget("{colour: red, keyed: [{name: a}, {name: a}]}")),
        say("crd-bad-when", "create -f -", stdin=_widget("{colour: red, when: noon}")),
        say("crd-bad-span", "create -f -", stdin=_widget("{colour: red, span: long}")),
        say("crd-bad-place", "create -f -", stdin=_widget("{colour: red, place: here}")),
        say("crd-bad-extra", "create -f -", stdin=_widget("{colour: red, extra: {a: 1, b: 2}}")),
        say("crd-bad-extra-type", "create -f -", stdin=_widget("{colour: red, extra: {a: x}}")),
        say("crd-bad-enum", "create -f -", stdin=_widget("{colour: red, kind: huge}")),
        say("crd-bad-either", "create -f -", stdin=_widget("{colour: red, either: {a: x, b: z}}")),
        say("crd-bad-missing", "create -f -", stdin=_widget("{size: 2}")),
        say(
            "crd-bad-no-spec", "create -f -", stdin="apiVersion: talk.example/v1\nkind: Widget\nmetadata: {name: one}\n"
        ),
        say("crd-bad-two", "create -f -", stdin=_widget("{colour: RED, size: 10}"), sort=True),
        say("crd-bad-types", "create -f -", stdin=_widget("{colour: 5, size: x}"), sort=True),
        say(
            "crd-good",
            "create -f -",
            stdin=_widget(
                "{colour: red, size: 3, ratio: 1.5, tags: [a], when: '2026-01-01T00:00:00Z', span: 5m, place: 10.0.0.1}"
            ),
        ),
        say("crd-get", "get widgets"),
        say("crd-scale", "scale widget one --replicas=5"),
        say("crd-scaled", "get wd one -o jsonpath='{.spec.size} {.metadata.generation}'"),
        say("crd-scale-bad", "scale widget one --replicas=50"),
        say("crd-explain", "explain widget.spec.colour"),
    ),
)
SCENES = (NETWORK, SETS, CUSTOM)
