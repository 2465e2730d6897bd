"""One machine as a cluster: a detached runner process an attempt. Start at ``cluster``."""
