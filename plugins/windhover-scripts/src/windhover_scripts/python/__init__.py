"""Python scripts, and commands with Python packages at hand."""
