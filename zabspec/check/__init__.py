"""Does the protocol hold: worlds of servers, every step between them, and what must be true."""
