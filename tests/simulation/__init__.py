"""Delivery under simulated time: days pass in seconds, and every accident is part of the plan."""
