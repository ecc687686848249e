"""The task runner of the original that needs a Docker engine."""
