"""Ratios, each measured interleaved in one run. ``make bench`` prints them; none is a test."""
