# ruff: noqa: E501 - a command reads as a person would type it, in one line
"""Reading: every way in which `kubectl get` and `kubectl describe` show the objects of a workload."""

from __future__ import annotations

from talks import manifests
from talks.script import Scene, do, say

_UP = (
    do("apply -f -", stdin=manifests.WEB),
    do("apply -f -", stdin=manifests.CLAIM),
    do("rollout status deployment/web --timeout=50s"),
)
GET = Scene(
    name="talk-get",
    lines=(
        *_UP,
        say("get-deployments", "get deployments"),
        say("get-deployment-wide", "get deployment web -o wide"),
        say("get-deployment-yaml", "get deployment web -o yaml"),
        say("get-deployment-json", "get deployment web -o json"),
        say("get-deployment-name", "get deploy -o name"),
        say("get-labels", "get deployments,services --show-labels"),
        say("get-label-column", "get deployments -L app"),
        say("get-no-headers", "get deployment web --no-headers"),
        say("get-custom-columns", "get deploy -o custom-columns=NAME:.metadata.name,WANT:.spec.replicas,NO:.spec.none"),
        say("get-jsonpath", "get deploy web -o jsonpath='{.spec.template.spec.containers[*].image}{\"\\n\"}'"),
        say(
            "get-go-template",
            "get deploy -o go-template='{{range .items}}{{.metadata.name}}={{.status.replicas}}{{end}}'",
        ),
        say("get-replicasets", "get replicasets"),
        say("get-replicasets-wide", "get rs -o wide"),
        say("get-pods", "get pods", sort=True),
        say("get-pods-wide", "get pods -o wide", sort=True),
        say(
            "get-pods-columns",
            "get pods -o custom-columns=P:.status.phase,Q:.status.qosClass,N:.spec.nodeName,O:.metadata.ownerReferences[0].kind",
        ),
        say("get-pods-spec", "get pods -o jsonpath='{.items[0].spec}'"),
        say(
            "get-pods-conditions",
            "get pods -o jsonpath='{range .items[0].status.conditions[*]}{.type}={.status}{\"\\n\"}{end}'",
            sort=True,
        ),
        say("get-services", "get services"),
        say("get-service-wide", "get svc web -o wide"),
        say("get-service-yaml", "get svc web -o yaml"),
        say("get-endpoints", "get endpoints web"),
        say("get-endpointslices", "get endpointslices"),
        say("get-configmaps", "get configmaps"),
        say("get-configmap-yaml", "get cm settings -o yaml"),
        say("get-secrets", "get secrets"),
        say("get-secret-json", "get secret key -o json"),
        say("get-claims", "get pvc"),
        say("get-claim-yaml", "get pvc data -o yaml"),
        say("get-all", "get all"),
        say("get-several", "get deployment/web service/web configmap/settings"),
        say("get-by-label", "get all -l app=web -o name", sort=True),
        say("get-by-label-set", "get deploy -l 'app in (web,other),tier notin (back)'"),
        say("get-by-label-none", "get deploy -l app=none"),
        say("get-everywhere", "get deploy,svc -A -l app=web --field-selector metadata.namespace={ns}"),
        say("get-by-phase", "get pods --field-selector status.phase=Running -o name", sort=True),
        say("get-by-phase-none", "get pods --field-selector status.phase=Failed"),
        say("get-by-name-field", "get cm --field-selector metadata.name=settings"),
        say("get-by-bad-field", "get pods --field-selector spec.colour=blue"),
        say("get-sorted", "get cm,secret --sort-by=.metadata.name -o name"),
        say("get-raw-missing", "get --raw /api/v1/namespaces/{ns}/configmaps/nothing"),
        say("get-empty-kind", "get jobs"),
        say("get-namespace", "get namespace {ns}"),
        say("get-namespace-yaml", "get ns {ns} -o yaml"),
        say("get-account", "get serviceaccounts"),
        say("get-scale", "get deploy web --subresource=scale"),
        say(
            "get-status-yaml",
            "get deploy web -o jsonpath='{.status.replicas}/{.status.readyReplicas}/{.status.updatedReplicas}/{.status.observedGeneration}'",
        ),
        say(
            "get-nodes-columns",
            "get nodes -o jsonpath='{.items[0].status.nodeInfo.operatingSystem} {.items[0].status.nodeInfo.kubeletVersion}'",
            sort=True,
        ),
        say("get-managed-fields", "get cm settings -o yaml --show-managed-fields"),
    ),
)
DESCRIBE = Scene(
    name="talk-describe",
    lines=(
        *_UP,
        say("describe-deployment", "describe deployment web"),
        say("describe-replicaset", "describe rs -l app=web"),
        say("describe-service", "describe service web"),
        say("describe-configmap", "describe configmap settings"),
        say("describe-secret", "describe secret key"),
        say("describe-claim", "describe pvc data"),
        say("describe-namespace", "describe namespace {ns}"),
        do("apply -f -", stdin=manifests.LONE),
        do("wait pod/lone --for=condition=Ready --timeout=50s"),
        say("describe-pod", "describe pod lone"),
        say("describe-missing", "describe pod nobody"),
        say("events-of-deployment", "events --for deployment/web"),
        say("events-scaling", "get events --field-selector reason=ScalingReplicaSet"),
        say("events-created", "get events --field-selector reason=SuccessfulCreate -o custom-columns=R:.reason,T:.type,K:.involvedObject.kind,C:.source.component,M:.message", sort=True),
        say("events-scheduled", "get events --field-selector involvedObject.name=lone,reason=Scheduled -o custom-columns=T:.type,M:.message,C:.reportingComponent"),
    ),
)  # fmt: skip
SCENES = (GET, DESCRIBE)
