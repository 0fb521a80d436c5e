"""`Settings`: what a recipe sets is a model of pydantic whose fields are fixed, known, and documented."""

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator

from nas.errors import no_such


class Settings(BaseModel):
    """Fields that a recipe sets. A name that is not a field is refused, and the message names the nearest field.

    >>> class Training(Settings):
    ...     epochs: int = 3
    >>> Training(epocs=4)
    Traceback (most recent call last):
    pydantic_core._pydantic_core.ValidationError: 1 validation error for Training
      Value error, there is no field 'epocs'; did you mean 'epochs'? known are epochs ...
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _known_fields(cls, given: Any) -> Any:
        if isinstance(given, dict):
            for name in given:
                if name not in cls.model_fields:
                    raise ValueError(no_such("field", name, cls.model_fields))
        return given
