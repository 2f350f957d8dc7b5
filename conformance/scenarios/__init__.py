"""Made-up days of a hospital, as bytes: what a HIS and a LIS send, and the acknowledgement each message deserves."""
