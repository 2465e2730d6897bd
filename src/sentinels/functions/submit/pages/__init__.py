"""The web page: the queue, a job, the nodes; read-only, drawn by the server, without scripts.

Comes in: a browser's request. Goes out: HTML. Before: ``submit/handler``. Next: ``routes``, then
``views``; ``entering`` for who looks.
"""
