"""A team's queue for machine-learning experiments. Start reading at ``sentinels.core.job``."""
