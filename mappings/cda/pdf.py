"""Print a CDA document as PDF: the HTML page on paper, tagged for screen readers (PDF/UA-1).

Nothing outside the page is read. The same input gives the same bytes on the same machine: dates are those of the document, ids
come from its bytes; fonts are those of the machine. Needs Pango; signs nothing.

Requirement: S3.3, S3.9
"""

from __future__ import annotations

import logging
from hashlib import sha256
from typing import Any
from urllib.parse import quote

from mappings.cda.faults import PdfUnavailable
from mappings.cda.html import PLAIN, Options, html

_LINE = (
    "<svg xmlns='http://www.w3.org/2000/svg'><line x1='.5' y1='.5' x2='100%' y2='.5' stroke='#000' stroke-linecap='round'"
    " stroke-dasharray='0 2'/></svg>"
)
_STYLE = (
    f'.blank::before {{ border: 0 !important; background: url("data:image/svg+xml,{quote(_LINE)}") 0 100% / 100% 1px'
    " no-repeat !important }"
)
"""Draws a line to write on as one dotted stroke. Of a dotted border WeasyPrint draws each dot, as four curves: most of the
file, where a form has many empty lines."""


def pdf(cda: bytes, options: Options = PLAIN) -> bytes:
    """Print a CDA document; raises `XmlRefused`, `NotRendered`, `PdfUnavailable`."""
    return printed(html(cda, options))


def printed(page: bytes) -> bytes:
    """Print an HTML page in UTF-8; raises `PdfUnavailable`."""
    weasyprint = _weasyprint()
    fetcher = weasyprint.urls.URLFetcher(allowed_protocols=("data",))
    document = weasyprint.HTML(string=page.decode(), url_fetcher=fetcher)
    made: bytes = document.write_pdf(
        stylesheets=[weasyprint.CSS(string=_STYLE, url_fetcher=fetcher)],
        pdf_variant="pdf/ua-1",
        pdf_identifier=sha256(page).digest()[:16],
    )
    return made


def _weasyprint() -> Any:
    """Load the library only now, it is slow; what it logs may quote the page, so it logs nothing."""
    logging.getLogger("weasyprint").disabled = True
    try:
        import weasyprint
    except OSError:
        raise PdfUnavailable("", "Pango") from None
    return weasyprint
