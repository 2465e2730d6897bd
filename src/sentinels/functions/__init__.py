"""The three functions: ``submit``, ``dispatch``, ``notify``, each deployable alone.

Each has a ``main`` (reads the environment, wires, serves) and a ``handler`` (parses, calls one
verb, shapes the reply). They share ``http``, ``routing``, ``json_reading``, ``events``,
``telemetry`` and ``wiring``.
"""
