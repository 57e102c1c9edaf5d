"""Active learning: rounds of propose, measure, learn."""
