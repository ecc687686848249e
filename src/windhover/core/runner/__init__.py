"""How commands of script tasks are run."""
