"""Stand in for the four destinations over real HTTP, with a demo CA, fault plans and a record of all that arrived.

For integrators who want to test without telephoning a ministry, and for our own tests and demo. It follows what is
published and nothing more; where nothing is published, the module says that the form is ours. It is never a production
service: accounts and keys are throw-away.
"""
