"""The application: composes leaves, stores, decides, delivers, serves.

Inside, arrows point down: cli, app → api → intake, pipeline, signing_desk, delivery, records → store, states, settings.
"""

__version__ = "0.1.0"
