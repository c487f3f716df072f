"""The config of the monitor: monitor.toml, checked."""
