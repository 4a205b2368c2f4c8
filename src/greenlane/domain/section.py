"""The base of every part of the configuration. Apart from `domain.settings`, so that its parts can stand in files of
their own."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Percent = Annotated[float, Field(gt=0, le=100)]
Share = Annotated[float, Field(ge=0, le=1)]


class Section(BaseModel):
    """A part of the file: frozen, and closed (an unknown key is an error, not a silent nothing)."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
