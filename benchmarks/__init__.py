"""Measurements; each module prints its table. Timing never decides a test."""
