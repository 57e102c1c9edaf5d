"""The body of each command; nothing here parses options or prints."""
