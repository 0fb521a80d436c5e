"""How the pixels of a picture become the input of a network."""

from collections.abc import Sequence
from dataclasses import dataclass

from nas.errors import InputError


@dataclass(frozen=True)
class PixelScale:
    """``(pixels - mean) / std`` per channel, of pixels in [0, 1] (bytes / 255).

    A data source whose inputs are pictures has one as its attribute ``pixel_scale``. It is stored with an exported
    network, which accepts only arrays without it.

        >>> PixelScale.unit(3).then((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)).then((1, 1, 1), (2, 2, 2))
        PixelScale(mean=(1.0, 1.0, 1.0), std=(1.0, 1.0, 1.0))

    Args:
        mean, std: one number for each channel.

    Raises:
        InputError: the numbers of means and standard deviations differ, or a standard deviation is not above 0.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.mean) != len(self.std) or min(self.std, default=0) <= 0:
            raise InputError(
                f"{type(self).__name__}: mean and std need one number per channel, and std must be above 0; "
                f"found {self.mean} and {self.std}"
            )

    @classmethod
    def unit(cls, num_channels: int) -> "PixelScale":
        """The scale that leaves pixels in [0, 1]."""
        return cls((0.0,) * num_channels, (1.0,) * num_channels)

    def then(self, mean: Sequence[float], std: Sequence[float]) -> "PixelScale":
        """This scale followed by another one, as a single scale."""
        own = list(zip(self.mean, self.std, strict=True))
        return PixelScale(
            tuple(m + s * further for (m, s), further in zip(own, mean, strict=True)),
            tuple(s * further for (_, s), further in zip(own, std, strict=True)),
        )


def find_pixel_scale(source: object) -> PixelScale | None:
    """The ``pixel_scale`` of a data source; None if it has none."""
    found = getattr(source, "pixel_scale", None)
    if found is not None and not isinstance(found, PixelScale):
        raise InputError(f"{type(source).__name__}.pixel_scale must be a PixelScale; found {type(found).__name__}")
    return found
