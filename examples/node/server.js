// A Zab server in ZooKeeper's grain, as small as can be: its disk is two lists, synced at once.
// It is told events on standard input and answers on standard output, one line of JSON each.
// A zxid is [epoch, counter], a transaction [epoch, counter, request]: see docs/system.md.
'use strict';

const compare = (one, other) => one[0] - other[0] || one[1] - other[1];
const zxidOf = (txn) => txn.slice(0, 2);
const last = (list) => list[list.length - 1];
const latest = (list, count) => list.slice(Math.max(0, list.length - count));

class Server {
  constructor(sid, { voters, window, force_snapshot, last_counter }) {
    this.set({ sid, voters, kept: window, forced: force_snapshot, lastCounter: last_counter });
    this.set({ accepted: 0, current: 0, log: [], snapshot: { zxid: [0, 0], holds: [] } });
    this.set({ connected: new Set(), effects: [] });
    this.leave();
  }

  set(fields) { Object.assign(this, fields); }

  send(peers, type, fields) { // To each of these peers.
    const durable = { accepted_epoch: this.accepted, current_epoch: this.current };
    for (const peer of peers) {
      this.effects.push({ type: 'Send', peer, packet: { type, ...fields }, ...durable });
    }
  }

  close(peer) { if (this.connected.delete(peer)) this.effects.push({ type: 'Close', peer }); }

  shows() {
    const { role, phase, accepted: accepted_epoch, current: current_epoch, zxid: last_zxid } = this;
    if (role === 'Failed') return { role, phase, accepted_epoch, current_epoch };
    const leader = role === 'Follower' ? this.leader : null;
    return { role, phase, leader, accepted_epoch, current_epoch, last_zxid };
  }

  load() { // Have in memory what the disk holds.
    const { zxid, holds } = this.snapshot;
    const read = this.log.filter((txn) => compare(txn, zxid) > 0);
    this.set({ holds: [...holds, ...read], window: latest(read, this.kept) });
    this.zxid = read.length ? zxidOf(last(read)) : zxid;
  }

  apply(txn) {
    if (this.holds.some((one) => compare(one, txn) === 0)) return;
    this.set({ holds: [...this.holds, txn], window: latest([...this.window, txn], this.kept) });
    if (compare(txn, this.zxid) > 0) this.zxid = zxidOf(txn);
  }

  leave() { // The end of a role, whatever the reason.
    [...this.connected].forEach((peer) => this.close(peer));
    this.set({ role: 'Looking', phase: 'ELECTION' });
    this.load();
  }

  isQuorum(peers) { return 2 * (1 + peers.length) > this.voters.length; } // And this server.

  at(...stages) { // The peers whose learners are at one of these stages.
    const peers = [...this.learners.keys()].sort((one, other) => one - other);
    return peers.filter((peer) => stages.includes(this.learners.get(peer).stage));
  }

  forget(peer) {
    if (this.learners.delete(peer) && !this.isQuorum([...this.learners])) this.leave();
  }

  Elected({ leader }) {
    this.set({ phase: 'DISCOVERY', leader, role: leader === this.sid ? 'Leader' : 'Follower' });
    this.set({ epoch: 0, learners: new Map(), outstanding: [] }); // Of a leader,
    this.set({ isSnap: false, proposals: [], commits: [] }); // and of a follower.
    if (this.role === 'Leader') return;
    this.connected.add(leader);
    this.effects.push({ type: 'Open', peer: leader });
    this.send([leader], 'FollowerInfo', { accepted_epoch: this.accepted });
  }

  Received({ peer, packet }) {
    this.connected.add(peer);
    this[packet.type](packet, peer, this.learners.get(peer));
  }

  LinkLost({ peer }) {
    this.connected.delete(peer);
    if (this.role === 'Follower') this.leave(); else this.forget(peer);
  }

  LimitExpired() { if (this.role !== 'Looking') this.leave(); }

  Crash() {
    this.leave();
    if (this.accepted < this.current) this.role = 'Failed';
    else this.current = Math.max(this.current, this.zxid[0]);
  }

  ClientRequest({ request }) {
    if (this.role !== 'Leader' || this.phase !== 'BROADCAST') return;
    const [epoch, counter] = last(this.outstanding)?.txn ?? this.zxid;
    if (counter + 1 >= this.lastCounter) { this.leave(); return; }
    const txn = [epoch, counter + 1, request];
    this.send(this.at('syncing', 'active'), 'Proposal', { txn });
    this.log.push(txn);
    this.outstanding.push({ txn, acks: new Set() });
  }

  LogSynced() {} // Its log is always synced, and what is committed

  TxnApplied() {} // is always applied: neither is taken.

  FollowerInfo({ accepted_epoch: accepted }, peer) {
    this.learners.set(peer, { accepted, stage: 'introduced' });
    if (this.epoch) { this.send([peer], 'LeaderInfo', { epoch: this.epoch }); return; }
    const known = [...this.learners.values()];
    if (!this.isQuorum(known)) return;
    this.epoch = 1 + Math.max(this.accepted, ...known.map((one) => one.accepted));
    this.accepted = this.epoch;
    this.send(this.at('introduced'), 'LeaderInfo', { epoch: this.epoch });
  }

  AckEpoch({ current_epoch: current, last_zxid: upto }, peer, learner) {
    Object.assign(learner, { stage: current === null ? 'answered' : 'promised', upto });
    if (this.phase !== 'DISCOVERY') { this.sync(peer); return; }
    const isAhead = current !== null && (current - this.current || compare(upto, this.zxid)) > 0;
    if (isAhead) { this.close(peer); this.forget(peer); return; }
    if (!this.isQuorum(this.at('promised', 'introduced'))) { this.leave(); return; }
    if (!this.isQuorum(this.at('promised'))) return;
    this.set({ phase: 'SYNCHRONIZATION', current: this.epoch });
    this.at('answered', 'promised').forEach((one) => this.sync(one));
  }

  sync(peer) { // Bring a learner up to date, and forward to it from now on.
    const [packets, upto] = this.plan(this.learners.get(peer).upto);
    const later = this.outstanding.filter(({ txn }) => compare(txn, upto) > 0);
    packets.push(...later.map(({ txn }) => ['Proposal', { txn }]));
    packets.push(['NewLeader', { epoch: this.epoch }]);
    packets.forEach(([type, fields]) => this.send([peer], type, fields));
    later.forEach(({ acks }) => acks.delete(peer)); // It has just been sent them anew.
    this.learners.get(peer).stage = 'syncing';
  }

  plan(peer) { // What to send to who ends with this zxid, and up to which one that brings it.
    const { zxid, holds, window, log } = this, snap = [[['Snap', { zxid, holds }]], zxid];
    const [low, high] = window.length ? [window[0], last(window)].map(zxidOf) : [zxid, zxid];
    if (this.forced) return snap;
    if (compare(peer, zxid) === 0) return [[['Diff', { zxid: peer }]], peer];
    if (compare(peer, high) > 0) return peer[1] ? [[['Trunc', { zxid: high }]], high] : snap;
    let txns = window;
    if (compare(peer, low) < 0) { // The log has to reach from there to the window.
      const below = log.filter((txn) => compare(txn, low) <= 0);
      if (!below.length || compare(below[0], peer) > 0 || compare(last(below), low)) return snap;
      txns = [...below, ...window.slice(1)];
    }
    const lacks = txns.filter((txn) => compare(txn, peer) > 0);
    const isKnown = peer[1] === 0 || txns.some((txn) => compare(txn, peer) === 0);
    if (!isKnown && lacks[0]?.[0] !== peer[0]) return snap;
    const before = last(txns.filter((txn) => compare(txn, peer) < 0)) ?? [0, 0];
    const from = isKnown ? peer : zxidOf(before), upto = lacks.length ? zxidOf(last(lacks)) : from;
    const begin = isKnown ? ['Diff', { zxid: high }] : ['Trunc', { zxid: from }];
    const sent = (txn) => [['Proposal', { txn }], ['Commit', { zxid: zxidOf(txn) }]];
    return [[begin, ...lacks.flatMap(sent)], upto];
  }

  Ack({ zxid }, peer, learner) {
    if (learner.stage === 'active') { if (zxid[1]) this.count(peer, zxid); return; }
    learner.stage = 'active';
    if (this.phase === 'BROADCAST') { this.send([peer], 'UpToDate'); return; }
    if (!this.isQuorum(this.at('active'))) return;
    this.set({ phase: 'BROADCAST', zxid: [this.epoch, 0] });
    this.send(this.at('active'), 'UpToDate');
  }

  count(peer, zxid) { // One ACK; the oldest proposal is committed once a quorum has logged it.
    const acked = this.outstanding.find(({ txn }) => compare(txn, zxid) === 0);
    acked?.acks.add(peer);
    if (!acked || acked !== this.outstanding[0] || !this.isQuorum([...acked.acks])) return;
    this.outstanding.shift();
    this.send(this.at('syncing', 'active'), 'Commit', { zxid });
    this.apply(acked.txn);
  }

  LeaderInfo({ epoch }) {
    if (epoch < this.accepted) { this.leave(); return; }
    const promised = epoch > this.accepted ? this.current : null;
    this.set({ accepted: epoch, phase: 'SYNCHRONIZATION' });
    this.send([this.leader], 'AckEpoch', { current_epoch: promised, last_zxid: this.zxid });
  }

  Diff() {}

  Trunc({ zxid }) {
    const isKept = (txn) => compare(txn, zxid) <= 0, { zxid: named, holds } = this.snapshot;
    this.log = this.log.filter(isKept);
    this.snapshot = { zxid: isKept(named) ? named : zxid, holds: holds.filter(isKept) };
    this.load();
    this.zxid = zxid;
  }

  Snap({ zxid, holds }) { this.set({ isSnap: true, zxid, holds, window: [] }); }

  Proposal({ txn }) {
    if (this.phase === 'BROADCAST') { this.append(txn); return; }
    const [epoch, counter] = last(this.proposals) ?? [];
    const isNext = txn[0] > epoch ? txn[1] === 1 : txn[0] === epoch && txn[1] === counter + 1;
    if (this.proposals.length && !isNext) this.leave(); else this.proposals.push(txn);
  }

  Commit({ zxid }) {
    if (this.phase !== 'BROADCAST') { this.commits.push(zxid); return; }
    const pending = this.log.find((txn) => compare(txn, last(this.holds) ?? [0, 0]) > 0);
    if (pending && compare(pending, zxid) === 0) this.apply(pending);
  }

  append(txn) {
    this.log.push(txn);
    this.send([this.leader], 'Ack', { zxid: zxidOf(txn) });
  }

  settled() { // Those of the proposals, from the first, that are committed.
    const isOpen = (txn, at) => !this.commits[at] || compare(txn, this.commits[at]) !== 0;
    const open = this.proposals.findIndex(isOpen);
    return open < 0 ? this.proposals : this.proposals.slice(0, open);
  }

  NewLeader({ epoch }) { // First the history is durable, then its epoch, then it is acknowledged.
    const { zxid, holds } = this, txns = this.settled(), count = txns.length;
    const [proposals, commits] = [this.proposals.slice(count), this.commits.slice(count)];
    if (this.isSnap) this.set({ snapshot: { zxid, holds }, log: [] });
    this.set({ proposals, commits, log: [...this.log, ...txns] });
    txns.forEach((txn) => this.apply(txn));
    this.current = epoch;
    this.send([this.leader], 'Ack', { zxid: [epoch, 0] });
  }

  UpToDate() {
    this.phase = 'BROADCAST';
    this.send([this.leader], 'Ack', { zxid: [this.current, 0] });
    this.proposals.forEach((txn) => this.append(txn));
    this.settled().forEach((txn) => this.apply(txn));
  }
}

const servers = new Map();
const answers = {
  hello: () => ({ version: 1, takes: [], shows: ['role', 'epochs', 'last_zxid'] }),
  start: ({ server, sid, ensemble }) => { servers.set(server, new Server(sid, ensemble)); },
  step: ({ server, event }) => {
    const one = servers.get(server);
    one.effects = [];
    if (one.role !== 'Failed') one[event.type](event);
    return { effects: one.effects, shows: one.shows() };
  },
  observe: ({ server }) => ({ shows: servers.get(server).shows() }),
  copy: () => ({ copied: false }),
  close: ({ server }) => { servers.delete(server); },
};

require('readline').createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, do: asked, ...request } = JSON.parse(line);
  process.stdout.write(`${JSON.stringify({ id, ...answers[asked](request) })}\n`);
});
