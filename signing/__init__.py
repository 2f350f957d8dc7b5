"""Make and check signatures. A leaf: no database; the desk that decides who signs is the gateway's.

Nothing here listens but the workstation agent (`signing/agent`), a programme of its own that runs on the signer's PC.
"""
