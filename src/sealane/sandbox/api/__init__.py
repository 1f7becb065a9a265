"""The API server of a simulated cluster: store, kinds, patches, apply, discovery, tables and HTTP."""
