"""One delivery per document and destination: order, retry, limits, receipts."""
