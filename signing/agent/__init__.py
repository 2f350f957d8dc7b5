"""The workstation agent: a programme on the signer's own PC that shows papers, asks the PIN and signs hashes on their token.

The gateway's page hands it papers and takes signatures; key and PIN stay here. It needs of this project only `signing` and
`mappings.formats`, and is the one part of `signing` that listens: on 127.0.0.1. Decision 0017 says why it is so.
"""
