"""Conversations with a cluster through kubectl, kept as data and held against two: the rig and the sandbox.

What the real API server answers is the expectation; nobody writes it by hand. `scenes` lists what is said, `speak` says
it, `normal` takes away what differs between any two clusters, `golden` keeps what the rig answered.
"""
