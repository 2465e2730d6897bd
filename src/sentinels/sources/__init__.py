"""Where events come from without Knative: a clock and a watch over Jobs.

``ping`` is PingSource's part, ``apiserver`` ApiServerSource's; ``delivering`` brings an event to a
function. ``python -m sentinels.sources`` is both, for a cluster; one machine uses ``ping``.
"""
