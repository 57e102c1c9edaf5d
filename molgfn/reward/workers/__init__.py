"""Worker processes that can be killed: a pool of them, one of them, and what runs inside."""
