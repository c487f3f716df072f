"""The page that shows the monitor in a browser."""
