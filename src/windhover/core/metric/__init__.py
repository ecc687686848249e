"""Tasks that publish and purge metrics."""
