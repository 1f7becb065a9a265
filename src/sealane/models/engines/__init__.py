"""One module an engine: its image, environment, commands and probes. What is common to all is in `models.workload`."""
