"""The query language of views: texts, row shapes and answers; pure, SQLite is handed in."""
