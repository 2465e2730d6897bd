"""Kubernetes as a cluster: the second adapter of ``core.ports.Cluster``."""
