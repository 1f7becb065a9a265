"""The real thing, as plain processes: Kubernetes, KAI Scheduler and Ollama on one machine, for tests and for play.

The sandbox is a convenience; the rig is the truth. Nothing here is shipped in the wheel, nothing needs root or a
container engine, and nothing outside the rig's own network namespace is touched. `docs/rig.md` says how it works.
"""
