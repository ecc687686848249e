"""Tasks on logs."""
