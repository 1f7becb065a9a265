"""Every limit of the gateway, in one place, with its unit. Nothing waits for ever and nothing grows without bound."""

from __future__ import annotations

import msgspec


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds and bytes. The defaults suit language models: slow to begin, steady once they speak."""

    max_body: int = 32 * 1024 * 1024  # bytes of one request
    connect: float = 3.0  # to reach a replica at all
    first_byte: float = 300.0  # as long as Ollama itself allows a model to load (OLLAMA_LOAD_TIMEOUT)
    idle: float = 120.0  # between two chunks of one answer
    total: float = 3600.0  # one request, whatever happens
    body: float = 60.0  # for the client to send its request
    attempts: int = 2  # tries on different replicas, while no byte has reached the client
    eject: float = 5.0  # how long a replica that just failed is avoided
    queue: int = 256  # requests that may wait for one model
    queue_wait: float = 60.0  # how long one of them may wait
    poll: float = 10.0  # between two looks at what each replica has loaded
    sweep: float = 0.2  # between two looks at the limits above
    flush: float = 2.0  # between two writes of usage
    refresh: float = 5.0  # between two looks for keys that another process made or revoked
    require_key: bool = True
    hosts: frozenset[str] = frozenset()  # names by which what needs no key may be asked; none: by any
