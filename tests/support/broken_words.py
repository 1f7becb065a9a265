"""What the product says of each fault, held alike against the sandbox and against the real control plane.

Words that come from containerd or a real kubelet are not here: the rig's kubelet is a stand-in, so nothing compares
them.
"""

MODEL_MISSING = "does not exist in its registry; check the exact tag"
NODE_LOST = "is not heard of any more, so nobody reaches"
API_AWAY = "does not accept the connection (connection refused)"
IMAGE_MISSING = "cannot be pulled on"
