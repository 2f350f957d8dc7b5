"""The insurance portal (Cổng tiếp nhận, Vietnam Social Security) as far as it is published: every call, and its own judgement.

Compiled from integrators' descriptions; the portal's own guides of 2026 were not at hand. What the descriptions leave open
is a switch (`switches.py`) or is named as ours in the module and in the README.
"""
