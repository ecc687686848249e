"""Identifiers, durations and nearest-name search: the few things every floor needs."""
