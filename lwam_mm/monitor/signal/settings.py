"""The section ``[signal]`` of the config."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Event = Literal["layer", "alarm", "acknowledged", "state"]
Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[float, Field(gt=0, le=600)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class WebhookSettings(_Section):
    """Where messages are posted.

    Attributes:
        url: Address, http or https.
        events: What is posted.
        token_variable: Environment variable with a token; it is sent as ``Authorization: Bearer``.
        timeout_s: How long an answer may take.
    """

    url: str
    events: tuple[Event, ...] = ("alarm", "state")
    token_variable: str | None = None
    timeout_s: Seconds = 10

    @field_validator("url")
    @classmethod
    def _check(cls, url: str) -> str:
        if not url.startswith(("http://", "https://")):
            raise ValueError(
                f"{url!r} is no address: give one that begins with https:// or http://"
            )
        return url


class MqttSettings(_Section):
    """The broker, and the topics below which messages appear.

    Attributes:
        host: Name or address of the broker.
        port: Its port.
        topic: First part of all topics.
        client_id: Name of this client; no other client of the broker may have it.
        user: Name to log in with.
        password_variable: Environment variable with the password.
        tls: Whether to encrypt; certificates are checked.
        ca_file: Certificates to trust in place of the system's.
        timeout_s: How long an answer may take.
    """

    host: str
    port: Port = 1883
    topic: Annotated[str, Field(pattern=r"^[^#+/\x00][^#+\x00]*[^#+/\x00]$|^[^#+/\x00]$")] = "lwam"
    client_id: Annotated[str, Field(min_length=1)] = "lwam-monitor"
    user: str | None = None
    password_variable: str | None = None
    tls: bool = False
    ca_file: Path | None = None
    timeout_s: Seconds = 10

    @model_validator(mode="after")
    def _check(self) -> MqttSettings:
        # Left without effect, these would let a password go over the network as it is.
        if self.ca_file is not None and not self.tls:
            raise ValueError("ca_file is given, but nothing is encrypted: add tls = true")
        if self.password_variable is not None and self.user is None:
            raise ValueError("password_variable is given, but nobody logs in: add user")
        return self


class ModbusSettings(_Section):
    """Where a PLC reads the registers.

    Attributes:
        address: Address of this machine to listen on; 0.0.0.0 for all.
        port: Port; those below 1024 need rights.
    """

    address: str = "127.0.0.1"
    port: Port = 1502


class SignalSection(_Section):
    """The channels; what is left out is off."""

    webhook: WebhookSettings | None = None
    mqtt: MqttSettings | None = None
    modbus: ModbusSettings | None = None
