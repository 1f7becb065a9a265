# ruff: noqa: E501 - a command reads as a person would type it, in one line
"""Streams and what can be said about them without one: exec, attach, port-forward, debug, and the mistakes in each.

What a program answers is no conversation here: the rig runs no nginx, and says so."""

from __future__ import annotations

from talks import manifests
from talks.script import Scene, do, say

_PAIR = """
apiVersion: v1
kind: Pod
metadata: {name: pair, labels: {app: pair}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - {name: first, image: "nginx:1.27", env: [{name: COLOUR, value: blue}], ports: [{containerPort: 80, name: http}]}
  - {name: second, image: "nginx:1.27"}
"""
_WAITS = manifests.LONE.replace("lone", "waits").replace("containers:", "nodeSelector: {nowhere: 'yes'}\n  containers:")
_SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: NAME}\nspec: {selector: {app: APP}, ports: [{name: web, port: 80, targetPort: http}]}\n"

STREAMS = Scene(
    name="talk-streams",
    lines=(
        do("apply -f -", stdin=_PAIR + "---" + _WAITS),
        do("apply -f -", stdin=_SERVICE.replace("NAME", "pair").replace("APP", "pair") + "---\n" + _SERVICE.replace("NAME", "empty").replace("APP", "nobody")),
        do("wait pod/pair --for=condition=Ready --timeout=50s"),
        say("exec-by-file", "exec deploy/nobody -- true"),
        say("exec-no-container", "exec pair -c third -- true"),
        say("exec-no-command", "exec pair -c first"),
        say("exec-waiting", "exec waits -- true"),
        say("exec-service-empty", "exec service/empty --pod-running-timeout=1s -- true"),
        say("exec-raw", "get --raw '/api/v1/namespaces/{ns}/pods/pair/exec?command=true&container=first&stdout=1'"),
        say("exec-raw-nothing", "get --raw '/api/v1/namespaces/{ns}/pods/pair/exec?container=first&stdout=1'"),
        say("attach-missing", "attach nobody"),
        say("attach-no-container", "attach pair -c third"),
        say("attach-waiting", "attach waits"),
        say("forward-missing", "port-forward pod/nobody 8080:80"),
        say("forward-waiting", "port-forward pod/waits 8080:80 --pod-running-timeout=1s"),
        say("forward-bad-port", "port-forward pod/pair 8080:http-none"),
        say("forward-bad-number", "port-forward pod/pair 99999"),
        say("forward-service-port", "port-forward service/pair 8080:81"),
        say("forward-service-empty", "port-forward service/empty 8080:80 --pod-running-timeout=1s"),
        say("copy-missing", "cp nobody:/etc/hostname -c main hostname-of-nobody"),
        say("copy-two-remote", "cp pair:/a pair:/b"),
        say("logs-selector-none", "logs -l app=nobody"),
        say("logs-waiting", "logs waits"),
        say("logs-raw-bad-tail", "get --raw '/api/v1/namespaces/{ns}/pods/pair/log?container=first&tailLines=-1'"),
        say("logs-raw-bad-since", "get --raw '/api/v1/namespaces/{ns}/pods/pair/log?container=first&sinceSeconds=-1'"),
        say("logs-raw-two-since", "get --raw '/api/v1/namespaces/{ns}/pods/pair/log?container=first&sinceSeconds=1&sinceTime=2026-01-01T00:00:00Z'"),
        say("logs-raw-bad-limit", "get --raw '/api/v1/namespaces/{ns}/pods/pair/log?container=first&limitBytes=0'"),
        say("logs-raw-which", "get --raw '/api/v1/namespaces/{ns}/pods/pair/log'"),
        say("logs-raw-word", "get --raw '/api/v1/namespaces/{ns}/pods/pair/log?container=first&tailLines=many'"),
        say("debug-adds", "debug pair --image=busybox:1.36 -c look --target=first --attach=false --profile=general"),
        say("debug-read", "get pod pair -o jsonpath='{.spec.ephemeralContainers}'"),
        say("debug-describe-name", "get pod pair -o jsonpath='{.spec.containers[*].name} {.spec.ephemeralContainers[*].name}'"),
        say("debug-missing", "debug nobody --image=busybox:1.36 -c look --attach=false --profile=general"),
        say("debug-bad-target", "patch pod pair --subresource=ephemeralcontainers -p '{\"spec\":{\"ephemeralContainers\":[{\"name\":\"other\",\"image\":\"busybox\",\"targetContainerName\":\"third\"}]}}'"),
        say("debug-taken-name", "patch pod pair --subresource=ephemeralcontainers -p '{\"spec\":{\"ephemeralContainers\":[{\"name\":\"first\",\"image\":\"busybox\"}]}}'"),
        say("debug-port", "patch pod pair --subresource=ephemeralcontainers -p '{\"spec\":{\"ephemeralContainers\":[{\"name\":\"ports\",\"image\":\"busybox\",\"ports\":[{\"containerPort\":80}]}]}}'"),
        say("debug-copy", "debug pair --copy-to=pair-copy --image=busybox:1.36 -c look --attach=false --profile=general"),
        say("debug-copy-names", "get pod pair-copy -o jsonpath='{.spec.containers[*].name} {.metadata.labels}'"),
        say("debug-copy-again", "debug pair --copy-to=pair-copy --image=busybox:1.36 -c look --attach=false --profile=general"),
        do("create role runs --verb=get --resource=pods"),
        do("create rolebinding runs --role=runs --user=gina"),
        do("auth can-i get pods", user="gina", until="yes"),
        say("exec-forbidden", "exec pair -c first -- true", user="gina"),
        say("attach-forbidden", "attach pair -c first", user="gina"),
        say("forward-forbidden", "port-forward pod/pair 8080:80", user="gina"),
        say("debug-forbidden", "debug pair --image=busybox:1.36 -c more --attach=false --profile=general", user="gina"),
        say("logs-forbidden", "logs pair -c first", user="gina"),
        say("proxy-forbidden", "get --raw /api/v1/namespaces/{ns}/services/pair:web/proxy/", user="gina"),
        say("proxy-missing-service", "get --raw /api/v1/namespaces/{ns}/services/nobody/proxy/"),
        say("proxy-missing-port", "get --raw /api/v1/namespaces/{ns}/services/pair:none/proxy/"),
        say("proxy-empty-service", "get --raw /api/v1/namespaces/{ns}/services/empty:web/proxy/"),
        say("proxy-missing-pod", "get --raw /api/v1/namespaces/{ns}/pods/nobody/proxy/"),
    ),
)  # fmt: skip
SCENES = (STREAMS,)
