"""Tells the API server how a pod is, whenever that changed.

One thread a pod, so that news leave in order and no container waits for them. While the API server is away the latest
status is kept and sent when it is back; changes in between are merged, as a kubelet merges them.
"""

from __future__ import annotations

import http.client
import logging
import threading
from collections.abc import Callable

from rig.api import STRATEGIC, Api, JsonObject, Refused

_LOG = logging.getLogger(__name__)
_RETRY = 0.3  # seconds


class Publisher:
    """Sends `status()` to the pod at `path` after each `notice`, until `stop`."""

    def __init__(self, api: Api, path: str, status: Callable[[], JsonObject]) -> None:
        self._api = api
        self._path = path
        self._status = status
        self._changed = threading.Event()
        self._stopped = threading.Event()

    def start(self) -> None:
        """Begin, with the status as it is now."""
        self._changed.set()
        threading.Thread(target=self._run, name=f"rig-publish-{self._path}", daemon=True).start()

    def notice(self) -> None:
        """Something changed."""
        self._changed.set()

    def stop(self) -> None:
        """Say nothing more: the pod is going, or gone."""
        self._stopped.set()
        self._changed.set()

    def _run(self) -> None:
        while True:
            self._changed.wait()
            self._changed.clear()
            if self._stopped.is_set():
                return
            try:
                self._api.patch(f"{self._path}/status", {"status": self._status()}, kind=STRATEGIC)
            except Refused as error:
                if error.status == 404:
                    return
                self._again(error)
            except (OSError, http.client.HTTPException) as error:
                self._again(error)

    def _again(self, error: Exception) -> None:
        _LOG.debug("status of %s is sent again: %s", self._path, error)
        self._stopped.wait(_RETRY)
        self._changed.set()
