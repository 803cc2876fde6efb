"""Differences from OpenSSH that stay, each with its reason: suite → pattern of the case's name → why."""

KNOWN = {}
