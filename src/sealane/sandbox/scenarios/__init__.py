"""Break something: faults of the simulated clusters as data, told as scenarios, each of which heals fully.

`faults` says what can be broken and how it is undone, `book` reads the shipped scenarios, `runner` plays them, and
`endpoint` is how people reach it: `/sealane-sandbox/scenarios` on every cluster, for who may do everything.
"""
