// A Zab server in ZooKeeper's grain, as small as can be: nothing on disk, everything synced at once.
// It is told events on standard input and answers on standard output, one line of JSON each.
// A zxid is [epoch, counter], a transaction [epoch, counter, request]: see docs/system.md.
'use strict';

const compare = (one, other) => one[0] - other[0] || one[1] - other[1];
const zxidOf = (txn) => txn.slice(0, 2);
const last = (list) => list[list.length - 1];
const latest = (list, count) => list.slice(Math.max(0, list.length - count));

class Server {
  constructor(sid, { voters, window, force_snapshot: forced, last_counter: lastCounter }) {
    Object.assign(this, { sid, voters, kept: window, forced, lastCounter, accepted: 0, current: 0 });
    Object.assign(this, { log: [], snapshot: { zxid: [0, 0], holds: [] }, connected: new Set(), effects: [] });
    this.leave();
  }

  send(peer, type, fields) { this.effects.push({ type: 'Send', peer, packet: { type, ...fields }, ...this.epochs() }); }

  close(peer) { if (this.connected.delete(peer)) this.effects.push({ type: 'Close', peer }); }

  epochs() { return { accepted_epoch: this.accepted, current_epoch: this.current }; }

  shows() {
    const { role, phase, zxid } = this;
    const leader = role === 'Follower' ? this.leader : null;
    return { role, phase, leader, ...this.epochs(), ...(role === 'Failed' ? {} : { last_zxid: zxid }) };
  }

  load() { // What a server has in memory once it has read its disk.
    const read = this.log.filter((txn) => compare(txn, this.snapshot.zxid) > 0);
    Object.assign(this, { holds: [...this.snapshot.holds, ...read], window: latest(read, this.kept) });
    this.zxid = read.length ? zxidOf(last(read)) : this.snapshot.zxid;
  }

  apply(txn) {
    if (this.holds.some((one) => compare(one, txn) === 0)) return;
    this.holds.push(txn);
    this.window = latest([...this.window, txn], this.kept);
    if (compare(txn, this.zxid) > 0) this.zxid = zxidOf(txn);
  }

  leave() { // The end of a role, whatever the reason.
    [...this.connected].forEach((peer) => this.close(peer));
    Object.assign(this, { role: 'Looking', phase: 'ELECTION' });
    this.load();
  }

  isQuorum(peers) { return 2 * (1 + peers.size) > this.voters.length; } // With this server itself.

  at(...stages) { // The learners at one of these stages, by sid.
    const found = [...this.learners].filter(([, one]) => stages.includes(one.stage));
    return new Map(found.sort(([one], [other]) => one - other));
  }

  forget(peer) { if (this.learners.delete(peer) && !this.isQuorum(this.learners)) this.leave(); }

  Elected({ leader }) {
    Object.assign(this, { phase: 'DISCOVERY', leader, role: leader === this.sid ? 'Leader' : 'Follower' });
    if (this.role === 'Leader') { Object.assign(this, { epoch: 0, learners: new Map(), outstanding: [] }); return; }
    Object.assign(this, { isSnap: false, proposals: [], commits: [] });
    this.connected.add(leader);
    this.effects.push({ type: 'Open', peer: leader });
    this.send(leader, 'FollowerInfo', { accepted_epoch: this.accepted });
  }

  Received({ peer, packet }) { this.connected.add(peer); this[packet.type](packet, peer, this.learners?.get(peer)); }

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
    const [epoch, counter] = last(this.outstanding)?.txn ?? this.zxid, txn = [epoch, counter + 1, request];
    if (txn[1] >= this.lastCounter) { this.leave(); return; }
    for (const peer of this.at('syncing', 'active').keys()) this.send(peer, 'Proposal', { txn });
    this.log.push(txn);
    this.outstanding.push({ txn, acks: new Set() });
  }

  LogSynced() {} // Its log is always synced,

  TxnApplied() {} // and what is committed is applied at once: neither is taken.

  // A leader.

  FollowerInfo({ accepted_epoch: accepted }, peer) {
    this.learners.set(peer, { accepted, stage: 'introduced' });
    if (this.epoch) { this.send(peer, 'LeaderInfo', { epoch: this.epoch }); return; }
    if (!this.isQuorum(this.learners)) return;
    this.epoch = 1 + Math.max(this.accepted, ...[...this.learners.values()].map((one) => one.accepted));
    this.accepted = this.epoch;
    for (const one of this.at('introduced').keys()) this.send(one, 'LeaderInfo', { epoch: this.epoch });
  }

  AckEpoch({ current_epoch: current, last_zxid: upto }, peer, learner) {
    const stage = current === null ? 'answered' : 'promised';
    Object.assign(learner, { stage, upto });
    if (this.phase !== 'DISCOVERY') { this.sync(peer, learner); return; }
    const isAhead = current !== null && (current - this.current || compare(upto, this.zxid)) > 0;
    if (isAhead) { this.close(peer); this.forget(peer); return; }
    if (!this.isQuorum(this.at('promised', 'introduced'))) { this.leave(); return; }
    if (!this.isQuorum(this.at('promised'))) return;
    Object.assign(this, { phase: 'SYNCHRONIZATION', current: this.epoch });
    this.at('answered', 'promised').forEach((one, sid) => this.sync(sid, one));
  }

  sync(peer, learner) { // Bring a learner up to date, and forward to it from now on.
    const [packets, upto] = this.plan(learner.upto);
    const later = this.outstanding.filter(({ txn }) => compare(txn, upto) > 0);
    packets.push(...later.map(({ txn }) => ['Proposal', { txn }]), ['NewLeader', { epoch: this.epoch }]);
    packets.forEach(([type, fields]) => this.send(peer, type, fields));
    later.forEach(({ acks }) => acks.delete(peer)); // Of an earlier connection: it is sent them anew.
    learner.stage = 'syncing';
  }

  plan(peer) { // What a learner that ends with this zxid is sent, and up to which one that brings it.
    const { zxid, holds, window, log } = this, snap = [[['Snap', { zxid, holds }]], zxid];
    const [low, high] = window.length ? [window[0], last(window)].map(zxidOf) : [zxid, zxid];
    if (this.forced) return snap;
    if (compare(peer, zxid) === 0) return [[['Diff', { zxid: peer }]], peer];
    if (compare(peer, high) > 0) return peer[1] ? [[['Trunc', { zxid: high }]], high] : snap;
    if (compare(peer, low) >= 0) return this.queue([[], peer], window, high) ?? snap;
    if (!log.length || compare(log[0], peer) > 0) return snap;
    const begun = this.queue([[], peer], log.filter((txn) => compare(txn, low) <= 0), high);
    return begun && compare(begun[1], low) >= 0 ? this.queue(begun, window, high) ?? snap : snap;
  }

  queue([begun, peer], txns, high) { // That, with these transactions; null where they cross an epoch.
    const packets = [...begun], diff = ['Diff', { zxid: high }];
    let [previous, upto] = [[0, 0], peer];
    for (const txn of txns) {
      if (compare(txn, peer) < 0) { previous = zxidOf(txn); continue; }
      if (!packets.length) {
        const isKnown = compare(txn, peer) === 0 || peer[1] === 0;
        if (!isKnown && txn[0] !== peer[0]) return null;
        packets.push(isKnown ? diff : ['Trunc', { zxid: previous }]);
        if (!isKnown) upto = previous;
      }
      if (compare(txn, upto) <= 0) continue;
      upto = zxidOf(txn);
      packets.push(['Proposal', { txn }], ['Commit', { zxid: upto }]);
    }
    if (!packets.length && peer[1] === 0) packets.push(diff);
    return packets.length ? [packets, upto] : null;
  }

  Ack({ zxid }, peer, learner) {
    if (learner.stage === 'active') { if (zxid[1]) this.count(peer, zxid); return; }
    learner.stage = 'active';
    if (this.phase === 'BROADCAST') { this.send(peer, 'UpToDate'); return; }
    if (!this.isQuorum(this.at('active'))) return;
    Object.assign(this, { phase: 'BROADCAST', zxid: [this.epoch, 0] });
    for (const one of this.at('active').keys()) this.send(one, 'UpToDate');
  }

  count(peer, zxid) { // One ACK; commit the oldest proposal if it makes a quorum of that.
    const acked = this.outstanding.find(({ txn }) => compare(txn, zxid) === 0);
    acked?.acks.add(peer);
    if (!acked || acked !== this.outstanding[0] || !this.isQuorum(acked.acks)) return;
    this.outstanding.shift();
    for (const one of this.at('syncing', 'active').keys()) this.send(one, 'Commit', { zxid });
    this.apply(acked.txn);
  }

  // A follower.

  LeaderInfo({ epoch }) {
    if (epoch < this.accepted) { this.leave(); return; }
    const promised = epoch > this.accepted ? this.current : null;
    Object.assign(this, { accepted: epoch, phase: 'SYNCHRONIZATION' });
    this.send(this.leader, 'AckEpoch', { current_epoch: promised, last_zxid: this.zxid });
  }

  Diff() {}

  Trunc({ zxid }) {
    const [isKept, old] = [(txn) => compare(txn, zxid) <= 0, this.snapshot];
    this.log = this.log.filter(isKept);
    this.snapshot = { zxid: isKept(old.zxid) ? old.zxid : zxid, holds: old.holds.filter(isKept) };
    this.load();
    this.zxid = zxid;
  }

  Snap({ zxid, holds }) { Object.assign(this, { isSnap: true, zxid, holds: [...holds], window: [] }); }

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

  append(txn) { this.log.push(txn); this.send(this.leader, 'Ack', { zxid: zxidOf(txn) }); }

  settled() { // Those of the proposals, from the first, that are committed.
    const open = this.proposals.findIndex((txn, at) => compare(txn, this.commits[at] ?? [0, 0]) !== 0);
    return this.proposals.slice(0, open < 0 ? this.proposals.length : open);
  }

  NewLeader({ epoch }) { // Make the history durable, then its epoch, then acknowledge: in this order.
    const txns = this.settled();
    this.proposals.splice(0, txns.length);
    this.commits.splice(0, txns.length);
    if (this.isSnap) Object.assign(this, { snapshot: { zxid: this.zxid, holds: [...this.holds] }, log: [] });
    this.log.push(...txns);
    txns.forEach((txn) => this.apply(txn));
    this.current = epoch;
    this.send(this.leader, 'Ack', { zxid: [epoch, 0] });
  }

  UpToDate() {
    this.phase = 'BROADCAST';
    this.send(this.leader, 'Ack', { zxid: [this.current, 0] });
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
