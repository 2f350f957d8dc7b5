"""Look-ups of insurance cards for reception, kiosks and connected systems: who asks, how often, and what is kept."""
