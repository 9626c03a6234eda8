"""A Zab server with ZooKeeper's structure: real bytes on the wire, real files, imperative code.

Clock, network and disk are passed in (`impl.runtime`). On the real ones it is a server; on the
simulated ones (`impl.simulation`) nothing happens unless somebody chose so.
"""
