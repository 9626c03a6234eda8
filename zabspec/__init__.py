"""zabspec: does this code still do what Zab promises, in every interleaving?

`protocol` is Zab as pure functions, `check` exhausts it, `conform` holds recordings and code
against it. Imports run one way: protocol, check, conform, then the command line.

Left out, and why: lost or reordered bytes inside one connection (TCP gives neither), Byzantine
servers (Zab does not claim to survive them), and time (a limit expires when somebody says so).
"""
