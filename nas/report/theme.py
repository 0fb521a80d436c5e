"""Light and dark pictures: the colours of text, lines and surfaces for what is behind them."""

from dataclasses import dataclass
from typing import Literal

from nas.report.palette import FILL_CONTRAST, TEXT_CONTRAST, contrast, mixed

ThemeName = Literal["light", "dark"]

INK, GREY, LIGHT_GREY, PALE = "ink", "grey", "light grey", "pale"
"""Names of a theme's greys, from that of the text to that of faint surfaces; usable wherever a colour is expected."""


@dataclass(frozen=True)
class Theme:
    """The greys of a picture, and how other colours are kept apart from its ground."""

    ground: str
    ink: str
    grey: str
    light_grey: str
    pale: str

    def colour(self, name: str) -> str:
        """The colour ``#rrggbb`` of one of the theme's names; other colours stay as they are."""
        return {INK: self.ink, GREY: self.grey, LIGHT_GREY: self.light_grey, PALE: self.pale}.get(name, name)

    def text(self, colour: str) -> str:
        """The colour, moved away from the ground until text in it can be read."""
        return self._apart(colour, TEXT_CONTRAST)

    def fill(self, colour: str) -> str:
        """The colour, moved away from the ground until a surface in it can be seen."""
        return self._apart(colour, FILL_CONTRAST)

    def faded(self, colour: str, strength: float) -> str:
        """The colour at a strength of 1, the ground at 0."""
        return mixed(colour, self.ground, 1.0 - strength)

    def text_on(self, colour: str) -> str:
        """Ink or ground, whichever can be read better on a surface; both can on a colour of medium lightness."""
        return max((self.ink, self.ground), key=lambda one: contrast(one, colour))

    def _apart(self, colour: str, least: float) -> str:
        away = max(("#000000", "#FFFFFF"), key=lambda end: contrast(end, self.ground))
        while contrast(colour, self.ground) < least:
            colour = mixed(colour, away, 0.05)
        return colour


LIGHT = Theme(ground="#FFFFFF", ink="#1A1A1A", grey="#6B6B6B", light_grey="#BEBEBE", pale="#EFEFEF")
DARK = Theme(ground="#16181D", ink="#ECECEC", grey="#A3A6AD", light_grey="#5A5E66", pale="#2A2D34")
THEMES: dict[ThemeName, Theme] = {"light": LIGHT, "dark": DARK}
