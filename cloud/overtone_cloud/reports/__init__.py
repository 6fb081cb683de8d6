"""HTML pages and files of reports."""
