"""Make and check signatures. A leaf: no database, no HTTP server; the desk that decides who signs is the gateway's."""
