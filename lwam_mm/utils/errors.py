"""Base classes of the errors whose message is written for the user."""


class UserError(Exception):
    """An error whose message names the file, the value and the remedy.

    The tools print it without a traceback.
    """


class ConfigError(UserError, ValueError):
    """A setting of a config that cannot work."""
