"""Tasks about execution logs."""
