"""Views: projections from changes into SQLite tables, and queries over them."""
