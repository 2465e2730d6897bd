"""The command line: one module a command, HTTP to submit, nothing heavy at start. See ``main``."""
