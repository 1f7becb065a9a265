"""GPUs and KAI queues as facts and explanations."""
