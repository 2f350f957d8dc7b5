"""The ledger: one schema on SQLite or PostgreSQL, one module per table family, everything of a patient sealed."""
