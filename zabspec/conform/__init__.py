"""Does code follow the protocol: recorded runs, and implementations driven event by event."""
