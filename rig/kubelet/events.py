"""The Events that a kubelet writes about its pods: counted up when the same thing happens again."""

from __future__ import annotations

import http.client
import logging
import secrets
import threading

from rig.api import Api, JsonObject, Refused
from rig.nodes import stamp

_LOG = logging.getLogger(__name__)


class Events:
    """Writes Events; one that cannot be written is dropped, as a kubelet drops it."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._known: dict[tuple[str, str, str], tuple[str, int]] = {}
        self._lock = threading.Lock()

    def emit(self, pod: JsonObject, reason: str, message: str, *, container: str = "", warning: bool = False) -> None:
        """Say that `reason` happened to the pod, or to one of its containers."""
        meta = pod["metadata"]
        base = f"/api/v1/namespaces/{meta['namespace']}/events"
        key = (meta["uid"], reason, message)
        try:
            with self._lock:
                name, count = self._known.get(key, ("", 0))
                if name:
                    self._api.patch(f"{base}/{name}", {"count": count + 1, "lastTimestamp": stamp()})
                else:
                    name = f"{meta['name']}.{secrets.token_hex(8)}"
                    self._api.post(base, _event(pod, name, reason, message, container=container, warning=warning))
                self._known[key] = (name, count + 1)
        except (OSError, http.client.HTTPException, Refused) as error:
            _LOG.debug("event %s of %s was not written: %s", reason, meta["name"], error)


def _event(pod: JsonObject, name: str, reason: str, message: str, *, container: str, warning: bool) -> JsonObject:
    meta, now = pod["metadata"], stamp()
    subject = {
        "apiVersion": "v1",
        "kind": "Pod",
        "namespace": meta["namespace"],
        "name": meta["name"],
        "uid": meta["uid"],
        "resourceVersion": meta["resourceVersion"],
    }
    if container:
        subject["fieldPath"] = f"spec.containers{{{container}}}"
    return {
        "metadata": {"name": name, "namespace": meta["namespace"]},
        "involvedObject": subject,
        "reason": reason,
        "message": message,
        "type": "Warning" if warning else "Normal",
        "source": {"component": "kubelet", "host": pod["spec"].get("nodeName", "")},
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }
