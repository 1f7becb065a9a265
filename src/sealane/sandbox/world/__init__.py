"""What makes the simulated clusters behave: controllers, schedulers, kubelets and a simulated Ollama over the Store.

`build` gives the World of some Stores; `World.run` lets it act. Everything here is a simulation and says so.
"""

from sealane.sandbox.world.clock import SandboxClock, SteppedClock
from sealane.sandbox.world.cluster import AdmissionDenied
from sealane.sandbox.world.world import World, build

__all__ = ["AdmissionDenied", "SandboxClock", "SteppedClock", "World", "build"]
