"""A Zab server with ZooKeeper's structure: real bytes on the wire, real files, imperative code.

Clock, network and disk are passed in (`impl.runtime`). On the real ones it is a server; on the
simulated ones (`impl.simulation`) nothing happens unless somebody chose so. The map, from what is
read first to what is read last; `impl.quorum_peer` is the waist, everything goes through it.

contract    runtime: clock, network, disk; endings: what ends a role; threads: its tasks
wire        jute, records: how values are written; packets, payloads: what servers send each other;
            transactions, client_records: what is logged, what clients ask; snapshot_stream
disk        files, logfile, txnlog: the log; snapshots, installing; epochs; storage: all of it;
            real_disk: a folder of this machine
database    zxids, paths, errors; datanode, acl_cache, datatree: the tree; operations, multi,
            tree_transactions: what changes it; sessions; database: all of it, and the window
quorum      configuration: its text; quorum: who votes, and what a quorum is; config: settings
roles       quorum_peer: the main loop
            leader: barriers, proposals, learner_handler (sync_follower, sync_limit_check)
            follower, observer: learner, learner_sync
service     zookeeper_server: leader_server, learner_server
            requests pass through prep (prep_operations, outstanding_changes), processors,
            sync_request_processor, commit_processor, final
simulation  simulation: its face; simulated_server: one server, of
            simulated_machine, simulated_peer: what runs, and on what: simulated_loop
            (simulated_callbacks), simulated_clock, simulated_network, simulated_disk
            (simulated_files); simulated_events in (simulated_steps), simulated_observations out
            (simulated_shown), both as JSON: plain
            ensemble: several, and the connections between them (simulated_links)
free run    free_run: one run; random_run: what is chosen (random_faults), schedules: whose turn it
            is; simulated_clients: who asks meanwhile (simulated_requests); simulated_run: what
            every run is of (run_findings); choices: one a line (choice_files); chosen_run: they
            happen again; transcript, told: what is written; simulate: all of it; exits, __main__
"""
