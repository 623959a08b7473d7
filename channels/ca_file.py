"""The setting `ca_file` of a connection that is no HTTP: certificates to trust instead of the system's."""

import ssl
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator


def _readable(path: Path) -> Path:
    try:
        ssl.create_default_context(cafile=path)
    except (OSError, ValueError):
        raise ValueError("is not a readable PEM file with certificates") from None
    return path


CaFile = Annotated[Path, AfterValidator(_readable)]
