"""Puts the parts together into running processes: data directory, ports, sandbox child, console and gateway.

The parts know nothing of each other's set-up; what is shared between a running `up` and a later command of the same
data directory (its address book, the local key) is written here and nowhere else.
"""
