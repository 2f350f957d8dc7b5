"""Keep signatures provable: time stamps, what issuers say of certificates, and the evidence of each signature.

`signing/` makes and judges the bytes; here is when it is done, what is kept and what waits for it.

Requirement: S0.5, S0.10
"""
