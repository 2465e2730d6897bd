"""What Sentinels knows; pure: no sockets, no environment, no clock reads. Start at ``job``."""
