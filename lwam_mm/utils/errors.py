"""What all errors have in common whose message is for the user."""


class UserError(Exception):
    """An error whose message names the file, the value and the remedy.

    The tools print it without a traceback, which would only bury it.
    """
