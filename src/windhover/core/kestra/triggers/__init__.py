"""Tasks on triggers."""
