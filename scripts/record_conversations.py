"""Records what the real server answers to every conversation, for the tests that run without it.

Run it in the rig's network: `python -m rig run -- python scripts/record_conversations.py [SCENE …]`.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(_ROOT), str(_ROOT / "tests" / "support")]

from talks import golden, speak, stage  # noqa: E402 - found through the line above
from talks.manifests import MODEL  # noqa: E402
from talks.scenes import ALL  # noqa: E402

from rig.build import KUBERNETES_VERSION  # noqa: E402
from rig.cluster import Rig  # noqa: E402
from rig.gguf_models import Shape  # noqa: E402
from rig.models import Model  # noqa: E402

_KAI = "0.12.0"


def main(names: list[str]) -> None:
    """Bring a rig up, hold the scenes of these names (all without any), write what was said."""
    rig = Rig(clusters=1)
    try:
        rig.start()
        rig.registry.add(Model(name=f"library/{MODEL}", shape=Shape(seed=11)))
        with tempfile.TemporaryDirectory() as folder:
            real = stage.listener(str(rig.kubeconfig), rig.clusters[0].name, Path(folder))
            kubectl = stage.kubectl_version(real.kubectl)
            versions = {"kubectl": kubectl, "kube-apiserver": f"v{KUBERNETES_VERSION}", "kai": f"v{_KAI}"}
            for name in names or ALL:
                said = speak.hold(ALL[name], real)
                print(golden.write(name, golden.Recorded(versions=versions, said=said)), flush=True)
    finally:
        rig.stop()


if __name__ == "__main__":
    main(sys.argv[1:])
