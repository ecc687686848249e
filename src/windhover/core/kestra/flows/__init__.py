"""Tasks on flows."""
