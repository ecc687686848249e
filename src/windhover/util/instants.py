"""Instants as the API and expressions write them."""

from __future__ import annotations

from datetime import UTC, datetime


def instant_text(date: datetime) -> str:
    """An instant in UTC with six digits: ``2026-11-21T00:40:59.428824Z``."""
    return date.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
