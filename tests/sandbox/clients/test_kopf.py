"""A real operator of kopf, unmodified, runs against the sandbox: its handlers, status, finalizers, timers and events.

It runs in the test's own event loop, so that a test waits for what the operator did and never for time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import kopf
import pytest

GROUP = "fleet.example.com"
CRD = f"""
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: moorings.{GROUP}}}
spec:
  group: {GROUP}
  scope: Namespaced
  names: {{plural: moorings, singular: mooring, kind: Mooring, shortNames: [moor]}}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {{status: {{}}}}
    additionalPrinterColumns: [{{name: Berths, type: integer, jsonPath: .status.berths}}]
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec: {{type: object, properties: {{berths: {{type: integer, minimum: 1}}, fails: {{type: integer}}}}}}
          status: {{type: object, x-kubernetes-preserve-unknown-fields: true}}
"""
MOORING = f"apiVersion: {GROUP}/v1\nkind: Mooring\nmetadata: {{name: NAME}}\nspec: {{berths: 2, fails: FAILS}}\n"
LIMIT = 20.0  # seconds that anything may take


class Harbour:
    """What the operator did, and a way to wait for it."""

    def __init__(self) -> None:
        self.done: list[tuple[str, Any]] = []
        self._changed = asyncio.Event()

    def note(self, what: str, value: Any) -> None:
        self.done.append((what, value))
        self._changed.set()

    async def until(self, is_so: Callable[[list[tuple[str, Any]]], bool]) -> None:
        """Wait until the notes are so."""
        async with asyncio.timeout(LIMIT):
            while not is_so(self.done):
                self._changed.clear()
                await self._changed.wait()

    async def noted(self, what: str, value: Any) -> None:
        """Wait until this is noted."""
        await self.until(lambda done: (what, value) in done)


def operator(harbour: Harbour) -> kopf.OperatorRegistry:
    """The handlers, as the first page of anybody's operator has them."""
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    def login(**more: Any) -> Any:
        return kopf.login_with_kubeconfig(**more)

    @kopf.on.create(GROUP, "v1", "moorings", registry=registry, id="moored")
    async def moored(spec: Any, name: str, retry: int, body: Any, patch: Any, **_: Any) -> dict[str, int]:
        if retry < spec.get("fails", 0):
            harbour.note("failed", (name, retry))
            raise kopf.TemporaryError("not yet", delay=0.01)
        kopf.event(body, type="Normal", reason="Moored", message=f"{spec['berths']} berths are taken")
        patch.status["berths"] = spec["berths"]
        harbour.note("created", name)
        return {"retries": retry}

    @kopf.on.update(GROUP, "v1", "moorings", field="spec.berths", registry=registry)
    async def moved(old: Any, new: Any, name: str, patch: Any, **_: Any) -> None:
        patch.status["berths"] = new
        harbour.note("updated", (name, old, new))

    @kopf.on.delete(GROUP, "v1", "moorings", registry=registry)
    async def gone(name: str, **_: Any) -> None:
        harbour.note("deleted", name)

    @kopf.timer(GROUP, "v1", "moorings", interval=0.05, registry=registry)
    async def tide(name: str, patch: Any, **_: Any) -> None:
        harbour.note("tide", name)

    @kopf.on.event("configmaps", labels={"harbour": "yes"}, registry=registry)
    async def seen(type: str | None, name: str, **_: Any) -> None:  # noqa: A002 - kopf's name
        harbour.note("map", (type, name))

    return registry


@asynccontextmanager
async def running(namespace: str) -> AsyncIterator[Harbour]:
    """The operator, ready; stopped, with its tasks, at the end."""
    harbour, ready, stop = Harbour(), asyncio.Event(), asyncio.Event()
    settings = kopf.OperatorSettings()
    work = asyncio.create_task(
        kopf.operator(
            registry=operator(harbour), settings=settings, standalone=True, namespaces=[namespace],
            ready_flag=ready, stop_flag=stop,
        )
    )  # fmt: skip
    try:
        async with asyncio.timeout(LIMIT):
            await ready.wait()
        yield harbour
    finally:
        stop.set()
        async with asyncio.timeout(LIMIT):
            await work


@pytest.fixture
def kubectl(sandbox: Any, namespace: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """kubectl in the test's namespace, off the loop; the operator is handed the same kubeconfig."""
    monkeypatch.setenv("KUBECONFIG", str(sandbox.kubeconfig))
    sandbox.kubectl("apply", "-f", "-", stdin=CRD)
    sandbox.kubectl("wait", "crd", f"moorings.{GROUP}", "--for=condition=Established", "--timeout=10s")

    async def run(*words: str, stdin: str = "", **more: Any) -> str:
        said: str = await asyncio.to_thread(sandbox.kubectl, "-n", namespace, *words, stdin=stdin, **more)
        return said

    return run


async def test_an_operator_follows_the_whole_life_of_an_object(kubectl: Any, namespace: str) -> None:
    async with running(namespace) as harbour:
        await kubectl("apply", "-f", "-", stdin=MOORING.replace("NAME", "quay").replace("FAILS", "0"))
        await harbour.noted("created", "quay")
        await kubectl("wait", "mooring/quay", "--for=jsonpath={.status.berths}=2", "--timeout=10s")
        assert "kopf" in await kubectl("get", "mooring", "quay", "-o", "jsonpath={.metadata.finalizers}")
        assert await kubectl("get", "moor", "quay", "-o", "jsonpath={.status.moored.retries}") == "0"

        await kubectl("patch", "mooring", "quay", "--type=merge", "-p", '{"spec": {"berths": 5}}')
        await harbour.noted("updated", ("quay", 2, 5))
        await kubectl("wait", "mooring/quay", "--for=jsonpath={.status.berths}=5", "--timeout=10s")
        assert "quay   5" in await kubectl("get", "moorings")

        await kubectl("delete", "mooring", "quay", "--timeout=15s")
        assert ("deleted", "quay") in harbour.done
        assert "NotFound" in await kubectl("get", "mooring", "quay", fails=True)
    order = [what for what, value in harbour.done if what in {"created", "updated", "deleted"}]
    assert order == ["created", "updated", "deleted"]


async def test_a_handler_that_fails_is_tried_again_and_remembers_across_a_restart(kubectl: Any, namespace: str) -> None:
    async with running(namespace) as harbour:
        await kubectl("apply", "-f", "-", stdin=MOORING.replace("NAME", "slow").replace("FAILS", "2"))
        await harbour.noted("created", "slow")
        assert [value for what, value in harbour.done if what == "failed"] == [("slow", 0), ("slow", 1)]
        await kubectl("wait", "mooring/slow", "--for=jsonpath={.status.moored.retries}=2", "--timeout=10s")
        await kubectl("wait", "mooring/slow", "--for=jsonpath={.status.berths}=2", "--timeout=10s")
    await kubectl("patch", "mooring", "slow", "--type=merge", "-p", '{"spec": {"berths": 3}}')
    async with running(namespace) as again:
        await again.noted("updated", ("slow", 2, 3))
        assert "created" not in {what for what, _ in again.done}
        await kubectl("delete", "mooring", "slow", "--timeout=15s")


async def test_timers_run_and_end_with_their_object(kubectl: Any, namespace: str) -> None:
    async with running(namespace) as harbour:
        await kubectl("apply", "-f", "-", stdin=MOORING.replace("NAME", "tidal").replace("FAILS", "0"))
        await harbour.until(lambda done: done.count(("tide", "tidal")) >= 3)
        await kubectl("delete", "mooring", "tidal", "--timeout=15s")
        last = harbour.done.count(("tide", "tidal"))
        await kubectl("get", "moorings")
        assert harbour.done.count(("tide", "tidal")) <= last + 1


async def test_events_of_handlers_are_posted_and_shown(kubectl: Any, namespace: str) -> None:
    async with running(namespace) as harbour:
        await kubectl("apply", "-f", "-", stdin=MOORING.replace("NAME", "told").replace("FAILS", "0"))
        await harbour.noted("created", "told")
        words = ("get", "events", "--field-selector=involvedObject.name=told,reason=Moored", "-o", "jsonpath={.items}")
        async with asyncio.timeout(LIMIT):
            while "2 berths are taken" not in (found := await kubectl(*words)):
                pass
        assert '"kind":"Mooring"' in found
        await kubectl("delete", "mooring", "told", "--timeout=15s")


async def test_raw_events_of_other_kinds_are_watched_by_label(kubectl: Any, namespace: str) -> None:
    async with running(namespace) as harbour:
        await kubectl("create", "configmap", "plain", "--from-literal=a=b")
        await kubectl("label", "configmap", "plain", "harbour=yes")
        await harbour.until(lambda done: any(value in {("ADDED", "plain"), ("MODIFIED", "plain")} for _, value in done))
        await kubectl("delete", "configmap", "plain")
        await harbour.noted("map", ("DELETED", "plain"))
