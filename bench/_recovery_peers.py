"""An ordinary watch of config maps with a ready-made client, as its documentation shows it.

`python -m bench._recovery_peers lightkube|official KUBECONFIG CONTEXT` prints each name that it sees and how it ends.
"""

from __future__ import annotations

import sys

NAMESPACE = "default"


def lightkube(kubeconfig: str, context: str) -> None:
    from lightkube import Client, KubeConfig
    from lightkube.resources.core_v1 import ConfigMap

    client = Client(config=KubeConfig.from_file(kubeconfig).get(context), namespace=NAMESPACE)
    for _kind, found in client.watch(ConfigMap, namespace=NAMESPACE):
        print(found.metadata.name, flush=True)


def official(kubeconfig: str, context: str) -> None:
    from kubernetes import client, config, watch

    config.load_kube_config(kubeconfig, context=context)
    for change in watch.Watch().stream(client.CoreV1Api().list_namespaced_config_map, NAMESPACE):
        print(change["object"].metadata.name, flush=True)


if __name__ == "__main__":
    try:
        {"lightkube": lightkube, "official": official}[sys.argv[1]](*sys.argv[2:])
        print("ended: without a word", flush=True)
    except Exception as error:  # noqa: BLE001 - how it ends is what is asked
        print(f"ended: {type(error).__name__}", flush=True)
