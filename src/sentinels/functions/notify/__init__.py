"""The ear: ``main`` wires it, ``handler`` looks at a workload that may have ended."""
