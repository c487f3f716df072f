"""The report of a build: one HTML file that needs nothing else, or a PDF."""
