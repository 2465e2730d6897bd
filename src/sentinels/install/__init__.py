"""Everything that has to be there, made and looked at: ``sentinels bootstrap``."""
