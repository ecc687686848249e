"""Where everything lasting lives: SQLite embedded, or PostgreSQL."""
