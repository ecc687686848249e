"""Composes server components into processes, and minds their life."""
