"""Opening pictures, trusted or not; all code of this project opens them here."""

import warnings
from pathlib import Path
from typing import BinaryIO

from PIL import Image, UnidentifiedImageError

from nas.limits import MOST_PIXELS

FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "TIFF")
"""The formats that are decoded. The list matters: Pillow looks at a file's content, not its name, and would start
Ghostscript for a PostScript file that is called a.png."""


def open_picture(file: BinaryIO | Path) -> Image.Image:
    """Decode a picture of one of `FORMATS`; of a file with several pictures, the first.

    Raises:
        ValueError: the format is not in `FORMATS`, or there are more than `nas.limits.MOST_PIXELS` pixels.
        OSError: the file is damaged or cannot be read. Pillow's decoders raise other errors, too.
    """
    try:
        with warnings.catch_warnings():
            # Pillow has two limits of its own; the lower one only warns.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            picture = Image.open(file, formats=FORMATS)
    except UnidentifiedImageError:
        # Its own message shows the open file.
        raise ValueError(f"not one of {', '.join(FORMATS)}, or damaged") from None
    except Image.DecompressionBombError:
        raise ValueError(f"it has more than {MOST_PIXELS} pixels") from None
    if picture.width * picture.height > MOST_PIXELS:
        picture.close()
        raise ValueError(f"it has {picture.width} x {picture.height} pixels; {MOST_PIXELS} are the most that are read")
    picture.load()
    return picture
