"""Tasks on Redis strings."""
