"""What people read: notes, warnings, verdicts and plots."""
