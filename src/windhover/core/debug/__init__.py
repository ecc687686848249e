"""Tasks for trying out expressions."""
