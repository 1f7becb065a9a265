"""Which resources a simulated cluster serves.

A `Kind` is one resource type in one version; `key` is what the Store files objects under, so that two versions of a
resource would share their objects. The table below is the built-in part; CRDs add to a cluster's own `Registry`
while it runs. Only what the journey and everyday kubectl use is here: an absent kind answers 404 as on a real server.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


class Kind(msgspec.Struct, frozen=True):
    """One resource type. `subresources` are names such as `status` and `scale`; `selectable` are the fields a field
    selector may name; `files_under` is the group whose objects these are, where it is another's; `scale_paths` lead to
    the wanted number, the number that there is, and the selector as text ("": it is in `spec.selector`)."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    singular: str = ""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    custom: bool = False
    selectable: tuple[str, ...] = ()
    files_under: str | None = None
    scale_paths: tuple[str, str, str] = (".spec.replicas", ".status.replicas", "")

    @property
    def key(self) -> tuple[str, str]:
        """`(group, plural)` under which the Store files the objects."""
        return (self.group if self.files_under is None else self.files_under, self.plural)

    @property
    def api_version(self) -> str:
        """`apps/v1`, or `v1` for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def one(self) -> str:
        """The singular, lower-case name."""
        return self.singular or self.kind.lower()

    @property
    def has_status(self) -> bool:
        """Whether status is a subresource, written apart from the rest."""
        return "status" in self.subresources


def _review(group: str, plural: str, kind: str, *, namespaced: bool = False) -> Kind:
    return Kind(group, "v1", plural, kind, namespaced=namespaced, verbs=("create",))


def _core(plural: str, kind: str, **more: object) -> Kind:
    return msgspec.convert({"group": "", "version": "v1", "plural": plural, "kind": kind} | more, Kind)


def _in(group: str, plural: str, kind: str, **more: object) -> Kind:
    return msgspec.convert({"group": group, "version": "v1", "plural": plural, "kind": kind} | more, Kind)


STATUS = ("status",)
SCALED = ("scale", "status")
_POD_FIELDS = (
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.schedulerName",
    "spec.serviceAccountName",
    "spec.hostNetwork",
    "status.phase",
    "status.podIP",
    "status.nominatedNodeName",
)
_EVENT_FIELDS = (
    "involvedObject.kind",
    "involvedObject.namespace",
    "involvedObject.name",
    "involvedObject.uid",
    "involvedObject.apiVersion",
    "involvedObject.resourceVersion",
    "involvedObject.fieldPath",
    "reason",
    "reportingComponent",
    "source",
    "type",
)

NAMESPACES = _core(
    "namespaces",
    "Namespace",
    namespaced=False,
    short_names=("ns",),
    subresources=("finalize", "status"),
    selectable=("status.phase",),
)
PODS = _core(
    "pods",
    "Pod",
    short_names=("po",),
    categories=("all",),
    selectable=_POD_FIELDS,
    subresources=(
        "attach",
        "binding",
        "ephemeralcontainers",
        "eviction",
        "exec",
        "log",
        "portforward",
        "proxy",
        "status",
    ),
)
SERVICES = _core(
    "services",
    "Service",
    short_names=("svc",),
    categories=("all",),
    subresources=("proxy", "status"),
    selectable=("spec.clusterIP", "spec.type"),
)
ENDPOINTS = _core("endpoints", "Endpoints", short_names=("ep",))
CONFIGMAPS = _core("configmaps", "ConfigMap", short_names=("cm",))
SECRETS = _core("secrets", "Secret", selectable=("type",))
SERVICEACCOUNTS = _core("serviceaccounts", "ServiceAccount", short_names=("sa",), subresources=("token",))
PVCS = _core("persistentvolumeclaims", "PersistentVolumeClaim", short_names=("pvc",), subresources=STATUS)
PVS = _core("persistentvolumes", "PersistentVolume", namespaced=False, short_names=("pv",), subresources=STATUS)
NODES = _core(
    "nodes",
    "Node",
    namespaced=False,
    short_names=("no",),
    subresources=("proxy", "status"),
    selectable=("spec.unschedulable",),
)
EVENTS = _core("events", "Event", short_names=("ev",), selectable=_EVENT_FIELDS)
RESOURCEQUOTAS = _core("resourcequotas", "ResourceQuota", short_names=("quota",), subresources=STATUS)
LIMITRANGES = _core("limitranges", "LimitRange", short_names=("limits",))

DEPLOYMENTS = _in(
    "apps", "deployments", "Deployment", short_names=("deploy",), categories=("all",), subresources=SCALED
)
REPLICASETS = _in("apps", "replicasets", "ReplicaSet", short_names=("rs",), categories=("all",), subresources=SCALED)
STATEFULSETS = _in(
    "apps", "statefulsets", "StatefulSet", short_names=("sts",), categories=("all",), subresources=SCALED
)
DAEMONSETS = _in("apps", "daemonsets", "DaemonSet", short_names=("ds",), categories=("all",), subresources=STATUS)
CONTROLLERREVISIONS = _in("apps", "controllerrevisions", "ControllerRevision")
JOBS = _in("batch", "jobs", "Job", categories=("all",), subresources=STATUS, selectable=("status.successful",))
CRONJOBS = _in("batch", "cronjobs", "CronJob", short_names=("cj",), categories=("all",), subresources=STATUS)
ENDPOINTSLICES = _in("discovery.k8s.io", "endpointslices", "EndpointSlice")
NEW_EVENTS = _in("events.k8s.io", "events", "Event", short_names=("ev",), files_under="", selectable=_EVENT_FIELDS)
STORAGECLASSES = _in("storage.k8s.io", "storageclasses", "StorageClass", namespaced=False, short_names=("sc",))
ROLES = _in("rbac.authorization.k8s.io", "roles", "Role")
ROLEBINDINGS = _in("rbac.authorization.k8s.io", "rolebindings", "RoleBinding")
CLUSTERROLES = _in("rbac.authorization.k8s.io", "clusterroles", "ClusterRole", namespaced=False)
CLUSTERROLEBINDINGS = _in("rbac.authorization.k8s.io", "clusterrolebindings", "ClusterRoleBinding", namespaced=False)
PRIORITYCLASSES = _in("scheduling.k8s.io", "priorityclasses", "PriorityClass", namespaced=False, short_names=("pc",))
LEASES = _in("coordination.k8s.io", "leases", "Lease")
CRDS = _in(
    "apiextensions.k8s.io",
    "customresourcedefinitions",
    "CustomResourceDefinition",
    namespaced=False,
    short_names=("crd", "crds"),
    categories=("api-extensions",),
    subresources=STATUS,
)
INGRESSES = _in("networking.k8s.io", "ingresses", "Ingress", short_names=("ing",), subresources=STATUS)
INGRESSCLASSES = _in("networking.k8s.io", "ingressclasses", "IngressClass", namespaced=False)
NETWORKPOLICIES = _in("networking.k8s.io", "networkpolicies", "NetworkPolicy", short_names=("netpol",))
PDBS = _in("policy", "poddisruptionbudgets", "PodDisruptionBudget", short_names=("pdb",), subresources=STATUS)
HPAS = Kind(
    "autoscaling",
    "v2",
    "horizontalpodautoscalers",
    "HorizontalPodAutoscaler",
    short_names=("hpa",),
    categories=("all",),
    subresources=STATUS,
)

OLD_HPAS = msgspec.structs.replace(HPAS, version="v1")
POD_METRICS = Kind("metrics.k8s.io", "v1beta1", "pods", "PodMetrics", singular=" ", verbs=("get", "list"))
NODE_METRICS = Kind(
    "metrics.k8s.io", "v1beta1", "nodes", "NodeMetrics", namespaced=False, singular=" ", verbs=("get", "list")
)

QUEUES = Kind("scheduling.run.ai", "v2", "queues", "Queue", namespaced=False, subresources=STATUS, custom=True)
PODGROUPS = Kind(
    "scheduling.run.ai", "v2alpha2", "podgroups", "PodGroup", short_names=("pg",), subresources=STATUS, custom=True
)

BUILT_IN: tuple[Kind, ...] = (
    NAMESPACES, PODS, SERVICES, ENDPOINTS, CONFIGMAPS, SECRETS, SERVICEACCOUNTS, PVCS, PVS, NODES, EVENTS,
    RESOURCEQUOTAS, LIMITRANGES,
    DEPLOYMENTS, REPLICASETS, STATEFULSETS, DAEMONSETS, CONTROLLERREVISIONS, JOBS, CRONJOBS,
    ENDPOINTSLICES, NEW_EVENTS, STORAGECLASSES, ROLES, ROLEBINDINGS, CLUSTERROLES, CLUSTERROLEBINDINGS,
    PRIORITYCLASSES, LEASES, CRDS, INGRESSES, INGRESSCLASSES, NETWORKPOLICIES, PDBS, HPAS, OLD_HPAS,
    _review("authorization.k8s.io", "selfsubjectaccessreviews", "SelfSubjectAccessReview"),
    _review("authorization.k8s.io", "selfsubjectrulesreviews", "SelfSubjectRulesReview"),
    _review("authorization.k8s.io", "subjectaccessreviews", "SubjectAccessReview"),
    _review("authorization.k8s.io", "localsubjectaccessreviews", "LocalSubjectAccessReview", namespaced=True),
    _review("authentication.k8s.io", "selfsubjectreviews", "SelfSubjectReview"),
    _review("authentication.k8s.io", "tokenreviews", "TokenReview"),
    POD_METRICS, NODE_METRICS,
)  # fmt: skip


class Registry:
    """The kinds of one cluster, by path and by `apiVersion` + `kind`."""

    def __init__(self, kinds: tuple[Kind, ...] = BUILT_IN) -> None:
        self._by_path: dict[tuple[str, str, str], Kind] = {}
        self._by_kind: dict[tuple[str, str], Kind] = {}
        for kind in kinds:
            self.add(kind)

    def __iter__(self) -> Iterator[Kind]:
        return iter(tuple(self._by_path.values()))

    def add(self, kind: Kind) -> None:
        """Serve a kind from now on; a later one of the same path replaces it."""
        self._by_path[kind.group, kind.version, kind.plural] = kind
        self._by_kind[kind.api_version, kind.kind] = kind

    def remove(self, kind: Kind) -> None:
        """Serve a kind no longer."""
        self._by_path.pop((kind.group, kind.version, kind.plural), None)
        self._by_kind.pop((kind.api_version, kind.kind), None)

    def at(self, group: str, version: str, plural: str) -> Kind | None:
        """The kind behind `/apis/GROUP/VERSION/…PLURAL`."""
        return self._by_path.get((group, version, plural))

    def of(self, api_version: str, kind: str) -> Kind | None:
        """The kind of an object."""
        return self._by_kind.get((api_version, kind))

    def find(self, group: str, plural: str) -> Kind | None:
        """The kind in whatever version is served, for callers who do not care."""
        for kind in self._by_path.values():
            if kind.group == group and kind.plural == plural:
                return kind
        return None
