"""Print a CDA document as PDF: the HTML page on paper, tagged for screen readers (PDF/UA-1).

Nothing outside the page is read. The same input gives the same bytes on the same machine: dates are those of the document, ids
come from its bytes; fonts are those of the machine. Needs Pango; signs nothing.

Requirement: S3.3, S3.9
"""

from __future__ import annotations

import logging
from hashlib import sha256
from typing import Any

from mappings.cda.faults import PdfUnavailable
from mappings.cda.html import PLAIN, Options, html


def pdf(cda: bytes, options: Options = PLAIN) -> bytes:
    """Print a CDA document; raises `XmlRefused`, `NotRendered`, `PdfUnavailable`."""
    return printed(html(cda, options))


def printed(page: bytes) -> bytes:
    """Print an HTML page in UTF-8; raises `PdfUnavailable`."""
    weasyprint = _weasyprint()
    fetcher = weasyprint.urls.URLFetcher(allowed_protocols=("data",))
    document = weasyprint.HTML(string=page.decode(), url_fetcher=fetcher)
    made: bytes = document.write_pdf(pdf_variant="pdf/ua-1", pdf_identifier=sha256(page).digest()[:16])
    return made


def _weasyprint() -> Any:
    """Load the library only now, it is slow; what it logs may quote the page, so it logs nothing."""
    logging.getLogger("weasyprint").disabled = True
    try:
        import weasyprint
    except OSError:
        raise PdfUnavailable("", "Pango") from None
    return weasyprint
