"""The simulated Ollama: one ASGI app a pod, speaking Ollama's own API, OpenAI's and Anthropic's as 0.23.0 does.

Nothing is computed: answers say that they are simulated. What is real is the shape: status codes, fields, streams,
the loaded set, keep-alive, reloads, queueing, and durations that add up.
"""
