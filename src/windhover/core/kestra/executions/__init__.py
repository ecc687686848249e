"""Tasks on executions."""
