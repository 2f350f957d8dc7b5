"""Files and batches of HL7 v2 messages, cut into the messages.

Does not count them against BTS-1 and FTS-1, does not write batches.

Standard: HL7 v2.5.1 §2.10.3
"""

from __future__ import annotations

import re
from itertools import pairwise

from mappings.formats.er7_encoding import SPACE_BYTES, decoded, wide_codec
from mappings.formats.faults import HeaderMissing


def split_batch(raw: bytes) -> list[bytes]:
    """Give the messages of a file or batch, each as its own bytes; FHS, BHS, BTS and FTS lines are left out.

    A single message gives `[raw]` unchanged, and so does anything without a batch header and with at most one MSH. Raises
    HeaderMissing when a batch holds something before its first MSH that is no batch segment, CharsetMismatch for broken UTF-16.

    Standard: HL7 v2.5.1 §2.10.3
    """
    wide = wide_codec(raw)
    data = (decoded(raw, wide, 0).encode() if wide else raw).lstrip(SPACE_BYTES)
    data = data.removeprefix(b"\xef\xbb\xbf").lstrip(SPACE_BYTES)
    separator = re.escape(data[3:4])
    heads = [match.start() for match in re.finditer(rb"(?:^|(?<=[\r\n]))MSH(?=" + separator + rb")", data)]
    if data[:3] not in (b"FHS", b"BHS") and (len(heads) <= 1 or heads[0] != 0):
        return [raw]
    for line in re.split(rb"[\r\n]+", data[: heads[0] if heads else len(data)]):
        if line and line[:3] not in (b"FHS", b"BHS", b"BTS", b"FTS"):
            raise HeaderMissing(f"byte {raw.find(data[:3])}")
    around = re.compile(rb"(?:^|(?<=[\r\n]))(?:BTS|FTS|FHS|BHS)(?:" + separator + rb"[^\r\n]*)?(?:[\r\n]+|$)")
    messages = [around.sub(b"", data[a:b]) for a, b in pairwise([*heads, len(data)])]
    return [message.decode().encode(wide) for message in messages] if wide else messages
