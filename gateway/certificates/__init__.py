"""The register of certificates: who may sign, with which device, since when and until when.

One procedure for people and for the organisation's seal: request, approval, issue, hand-over, commitment, use, incidents,
renewal, revocation. Keeps no keys and makes no signatures; asks no certificate authority what it thinks (`signing/` does).

Requirement: S0.1–S0.4, S0.7–S0.9
"""

from gateway.certificates.permission import may_sign, state_at

__all__ = ["may_sign", "state_at"]
