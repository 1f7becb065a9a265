# ruff: noqa: E501 - a command reads as a person would type it, in one line
"""Nodes as their keepers handle them: cordon, taint, label, extended resources, drain and delete, on a node of paper."""

from __future__ import annotations

from talks import manifests
from talks.script import Scene, do, say

_NODE = "apiVersion: v1\nkind: Node\nmetadata: {name: talk-node, labels: {shelf: three}}\n"
_PLACED = (
    manifests.LONE.replace("terminationGracePeriodSeconds: 1", "terminationGracePeriodSeconds: 0\n  nodeName: talk-node")
    .replace("lone", "placed")
)  # fmt: skip
_OWNED = """
apiVersion: apps/v1
kind: ReplicaSet
metadata: {name: owned}
spec:
  replicas: 1
  selector: {matchLabels: {app: owned}}
  template:
    metadata: {labels: {app: owned}}
    spec:
      terminationGracePeriodSeconds: 0
      nodeName: talk-node
      containers: [{name: main, image: "nginx:1.27"}]
"""
_FINE = "--timeout=20s"
NODES = Scene(
    name="talk-nodes",
    leaves=("node/talk-node",),
    lines=(
        say("node-create", "create -f -", stdin=_NODE),
        say("node-create-again", "create -f -", stdin=_NODE),
        say("node-bad-name", "create -f -", stdin=_NODE.replace("talk-node", "Talk_Node")),
        say("node-name", "get node talk-node -o name"),
        say("node-table", "get node talk-node --no-headers -o custom-columns=N:.metadata.name,L:.metadata.labels.shelf,I:.status.nodeInfo.kubeletVersion"),
        say("cordon", "cordon talk-node"),
        say("cordon-again", "cordon talk-node"),
        say("cordon-read", "get node talk-node -o jsonpath='{.spec.unschedulable}'"),
        say("uncordon", "uncordon talk-node"),
        say("uncordon-again", "uncordon talk-node"),
        say("cordon-dry", "cordon talk-node --dry-run=server"),
        say("cordon-missing", "cordon nobody"),
        say("cordon-selector", "cordon -l shelf=three"),
        say("uncordon-selector", "uncordon -l shelf=three"),
        say("taint", "taint node talk-node keep=away:NoExecute"),
        say("taint-again", "taint node talk-node keep=away:NoExecute"),
        say("taint-other-value", "taint node talk-node keep=off:NoExecute"),
        say("taint-overwrite", "taint node talk-node keep=off:NoExecute --overwrite"),
        say("taint-bad-effect", "taint node talk-node keep=away:Sometimes"),
        say("taint-bad-key", "taint node talk-node 'not valid=away:NoSchedule'"),
        say("taint-remove", "taint node talk-node keep-"),
        say("taint-remove-missing", "taint node talk-node keep-"),
        say("taint-missing-node", "taint node nobody keep=away:NoSchedule"),
        say("taint-twice", "patch node talk-node --type=merge -p '{\"spec\":{\"taints\":[{\"key\":\"a\",\"effect\":\"NoSchedule\"},{\"key\":\"a\",\"effect\":\"NoSchedule\"}]}}'"),
        say("taint-no-effect", "patch node talk-node --type=merge -p '{\"spec\":{\"taints\":[{\"key\":\"a\"}]}}'"),
        say("node-label", "label node talk-node rack=seven"),
        say("node-annotate", "annotate node talk-node note='a sentence'"),
        say("node-resource", "patch node talk-node --subresource=status --type=merge -p '{\"status\":{\"capacity\":{\"example.com/dongle\":\"4\"}}}'"),
        say("node-resource-read", "get node talk-node -o jsonpath='{.status.capacity}'"),
        say("node-status-not-spec", "patch node talk-node --subresource=status --type=merge -p '{\"spec\":{\"unschedulable\":true}}'"),
        say("node-status-kept", "get node talk-node -o jsonpath='[{.spec.unschedulable}]'"),
        say("node-pod-range", "patch node talk-node --type=merge -p '{\"spec\":{\"podCIDR\":\"10.244.9.0/24\",\"podCIDRs\":[\"10.244.9.0/24\"]}}'"),
        say("node-pod-range-fixed", "patch node talk-node --type=merge -p '{\"spec\":{\"podCIDR\":\"10.244.8.0/24\",\"podCIDRs\":[\"10.244.8.0/24\"]}}'"),
        do("apply -f -", stdin=_PLACED),
        say("drain-bare-pod", "drain talk-node " + _FINE),
        say("drain-bare-dry", "drain talk-node --force --dry-run=client " + _FINE),
        say("drain-bare-dry-server", "drain talk-node --force --dry-run=server " + _FINE),
        say("drain-force", "drain talk-node --force " + _FINE),
        say("drain-gone", "get pod placed"),
        say("drain-cordoned", "get node talk-node -o jsonpath='{.spec.unschedulable}'"),
        say("drain-nothing", "drain talk-node " + _FINE),
        do("apply -f -", stdin=_PLACED),
        say("drain-deletes", "drain talk-node --force --disable-eviction " + _FINE),
        do("apply -f -", stdin=_PLACED),
        say("drain-selector-none", "drain talk-node --pod-selector=app=other " + _FINE),
        say("drain-missing", "drain nobody"),
        say("drain-two-ways", "drain talk-node --selector=shelf=three"),
        say("uncordon-after", "uncordon talk-node"),
        say("node-delete", "delete node talk-node"),
        say("node-delete-again", "delete node talk-node"),
        do("create role looks --verb=get --resource=pods"),
        do("create rolebinding looks --role=looks --user=hana"),
        say("cordon-forbidden", "cordon talk-node", user="hana"),
        say("drain-forbidden", "drain talk-node", user="hana"),
        say("taint-forbidden", "taint node talk-node a=b:NoSchedule", user="hana"),
    ),
)  # fmt: skip
SCENES = (NODES,)
