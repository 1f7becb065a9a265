"""Two schedulers: the default one for plain pods, and one that decides and explains as KAI 0.12.0 does.

`fitting` is what both share: does this pod fit that node. `cards` is the bookkeeping of GPUs and their parts,
`queues` KAI's quota hierarchy, `words` its texts. All of these are pure; `default` and `kai` are the edges.
"""
