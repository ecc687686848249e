"""Scripts for a shell."""
