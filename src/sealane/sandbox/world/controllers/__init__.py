"""The controllers of a control plane, one a module; each reconciles the Store and knows nothing of HTTP."""
