"""The proxy: an ensemble of networks learned from measured or docked molecules."""
