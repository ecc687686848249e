"""Filters, functions and tests, one family a module."""
