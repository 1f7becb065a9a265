"""Models: catalogue, memory fit, plan, stages."""
