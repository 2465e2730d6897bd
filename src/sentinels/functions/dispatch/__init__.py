"""The clockwork: ``main`` wires it, ``handler`` makes one pass of however many pokes."""
