"""Where layers come from: files are found, named, read and accounted for."""
