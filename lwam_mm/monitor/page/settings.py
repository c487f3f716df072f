"""The section ``[page]`` of the config."""

from __future__ import annotations

import ipaddress
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator


class PageSettings(BaseModel):
    """Where the page is served.

    Attributes:
        enabled: Whether to serve it.
        address: Address of this machine to listen on.
        port: Its port.
        token_variable: Environment variable with the token that a browser has to give; needed for
            any address but this machine's own.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = True
    address: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 8460
    token_variable: str | None = None

    @model_validator(mode="after")
    def _check(self) -> PageSettings:
        if self.token_variable is None and not is_loopback(self.address):
            raise ValueError(
                f"address = {self.address!r} can be reached by others: name an environment "
                "variable with a token in token_variable, or take 127.0.0.1"
            )
        return self


def is_loopback(address: str) -> bool:
    """Return whether an address is this machine's own alone."""
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
