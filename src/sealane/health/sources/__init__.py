"""Where events come from: each module turns one kind of source into the same `Events`."""
