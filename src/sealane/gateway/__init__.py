"""The data plane: one OpenAI-, Anthropic- and Ollama-compatible address in front of every replica in every cluster.

Bytes are streamed through untouched. Decisions (which replica, what to rewrite, what an answer's usage was) are pure
and live apart from I/O: `routing`, `bodies`, `framing`, `fim`. `app.build()` puts the parts together.
"""
