"""Local files as Base64 data URIs, labelled with what they hold."""

import base64
import os
from pathlib import Path

from inferencesh_core import content_types

DEFAULT_IMAGE = "image/png"


def image_to_base64_data_uri(file_path: str | os.PathLike[str], content_type: str | None = None) -> str:
    """An image as a data URI, labelled by its first bytes, else by `content_type`, else by its name.

    A file that none of these show to be an image is labelled a PNG. Raises OSError if it cannot be read.
    """
    content = Path(file_path).read_bytes()
    sniffed = content_types.by_first_bytes(content[: content_types.SNIFFED_BYTES])
    labels = (sniffed, content_type, content_types.by_name(os.fspath(file_path)))
    image = next((label for label in labels if label and label.startswith("image/")), DEFAULT_IMAGE)
    return _data_uri(image, content)


def file_to_base64_data_uri(file_path: str | os.PathLike[str], content_type: str | None = None) -> str:
    """A file as a data URI, labelled by `content_type`, else by its name, else by its first bytes.

    Raises OSError if it cannot be read.
    """
    label = content_type or content_types.by_file(file_path) or content_types.DEFAULT
    return _data_uri(label, Path(file_path).read_bytes())


def _data_uri(content_type: str, content: bytes) -> str:
    return f"data:{content_type};base64,{base64.b64encode(content).decode('ascii')}"
