"""The insurance portal's XML: tables of QĐ 3176/QĐ-BYT written from our papers, and the envelope they travel in.

Written here: XML4 (results), XML7 (discharge paper), XML13 (referral), XML14 (re-examination), and XML1 as far as a paper knows
it, because the portal takes no visit without. Not written: the money of XML1, XML2 and XML3, and with them the rules that
compare tables: such a file is received, and comes back from assessment (block error 11) until the settlement is sent. The field
tables of QĐ 3176 are the only ones; visits that belong to QĐ 4750 or QĐ 130 need field tables of their own. Does not sign.
"""

from mappings.bhyt.envelope import Envelope, envelope, read
from mappings.bhyt.write import TABLE_OF_PAPER, paper_name, paper_to_envelope, paper_to_gdbhyt

__all__ = ["TABLE_OF_PAPER", "Envelope", "envelope", "paper_name", "paper_to_envelope", "paper_to_gdbhyt", "read"]
