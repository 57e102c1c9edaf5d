"""The typed configuration and the files that ship with the package."""
