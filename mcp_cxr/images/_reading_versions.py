"""Versions of the rules by which files are read and rendered.

They are needed where nothing is decoded, so this module loads no library.
"""

from __future__ import annotations

from typing import Final

PREPROCESSING: Final = "1"
"""Version of the steps from file to rendering, grayscale included; part of the fingerprint of every archive.

Raise it when a file that was read rightly would get another rendering: by more than 6 gray levels in a pixel or 0.3 in
the mean (JPEG 2000: 0.4), the bounds within which the tests hold each decoding path to the reference pipeline. A faster
path within these bounds keeps the version; another grayscale rule, filter or handling of padding raises it. A rule for
files that were read wrongly raises `READING` instead: their vectors are made again one by one, and the others stay
comparable.
"""
READING: Final = 3
"""Version of the rules that refuse a file, find its stored values and pass over its windows; kept with each image.

`table verify` reads the files of images with an older one again. 2: SOP class before modality, descriptions of the body
part, HighBit, sign of compressed values, saturating windows, implausible pixels, placeholders as PatientID. 3: bounds
on the header, a sign that the pixels contradict, body parts in other languages.
"""
