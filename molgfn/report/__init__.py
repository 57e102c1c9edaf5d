"""Tables for people: candidates and comparisons."""
