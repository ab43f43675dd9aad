"""HTML pages that need no other file: templates that escape every value, and images as part of a page."""

from dnsp.html.images import embed, embed_picture
from dnsp.html.templating import page_environment

__all__ = ["embed", "embed_picture", "page_environment"]
