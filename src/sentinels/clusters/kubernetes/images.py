"""Container images as a submission names them: ``core.ports.ImageStore``.

Comes in: what the user typed. Goes out: an ``Image``; whether a registry has it, the node's runtime
finds out. Before: ``core/submitting``. Next: ``manifest``.
"""

from __future__ import annotations

import re
from dataclasses import replace

from sentinels.core.errors import Conflict, Fault, InvalidSubmission
from sentinels.core.image_reference import is_directory, untagged
from sentinels.core.workload import Image, ImageKind

_DIGEST = re.compile(r"@(sha256:[0-9a-f]{64})$")


class ReferenceImageStore:
    """Every reference that can name a container image."""

    def resolve(self, reference: str) -> Image:
        """See ``ImageStore.resolve``."""
        if is_directory(reference):
            raise InvalidSubmission(
                [
                    Fault(
                        "image",
                        "a cluster runs container images; this is a directory",
                        value=reference,
                        remedy="build an image of it and push that to your registry",
                    )
                ]
            )
        found = _DIGEST.search(reference)
        return Image(ImageKind.CONTAINER, reference, found.group(1) if found else None, reference)

    def pin(self, image: Image, *, seen: str | None) -> Image:
        """See ``ImageStore.pin``; that the registry still has it, the node's runtime finds out."""
        if image.digest is not None:
            return image
        found = _DIGEST.search(seen or "")
        if found is None:
            raise Conflict(
                f"nothing tells what exactly {image.reference} was: it was named by its tag, and no"
                " node has said what it ran",
                remedy="take what the tag means now: --by-tag",
            )
        return replace(image, digest=found[1], location=f"{untagged(image.reference)}@{found[1]}")
