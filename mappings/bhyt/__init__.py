"""The insurance portal's XML: tables of QĐ 3176/QĐ-BYT written from our papers, and the envelope they travel in.

Written here: XML4 (results), XML7 (discharge paper), XML13 (referral), XML14 (re-examination). Not written: XML1 to XML3, which
carry money, and with them the rules that compare tables; the portal takes no visit without XML1. The field tables of QĐ 3176
are the only ones; visits that belong to QĐ 4750 or QĐ 130 need field tables of their own. Does not sign.
"""

from mappings.bhyt.envelope import Envelope, envelope, read
from mappings.bhyt.write import TABLE_OF_PAPER, paper_name, paper_to_gdbhyt

__all__ = ["TABLE_OF_PAPER", "Envelope", "envelope", "paper_name", "paper_to_gdbhyt", "read"]
