"""The layer monitor: watches a folder, judges every layer, and records what it found."""
