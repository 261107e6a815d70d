import assert from 'node:assert/strict';
import dns from 'node:dns/promises';
import { syncBuiltinESMExports } from 'node:module';
import { before, describe, it, mock } from 'node:test';
import type { Endpoint, Probe, ProbeResult } from '../../src/probes/probe.js';
import { proveAccepted, proveRefused } from '../../src/probes/streak.js';
import type { KeyPair } from '../../src/x509/pair.js';
import { aCa, aLeaf } from '../support/certificates.js';

const accepted: ProbeResult = { outcome: 'accepted', remote: '192.0.2.1:7233' };
const unknownCa: ProbeResult = { outcome: 'refused', layer: 'tls', reason: 'unknown ca' };
const filtered: ProbeResult = { outcome: 'refused', layer: 'rpc', reason: 'any call: Request unauthorized.' };
const silence: ProbeResult = { outcome: 'unreachable', reason: 'no answer in 5000 ms' };

const need = { successes: 3, overMs: 0, deadlineMs: 60_000 };
const quiet = { report: () => undefined, signal: new AbortController().signal };
const at = (address: string): Endpoint => ({ namespace: 'orders.acct1', address });

/** Answers in this order, the last one for ever; counts how often it was asked. */
function scripted(...answers: readonly ProbeResult[]): Probe & { asked: Endpoint[] } {
  const asked: Endpoint[] = [];
  return {
    asked,
    test: async (_leaf, endpoint) => answers[Math.min(asked.push(endpoint), answers.length) - 1]!,
  };
}

describe('proof that a leaf is admitted', () => {
  let leaf: KeyPair;
  before(async () => {
    leaf = await aLeaf(await aCa());
  });

  it('safety 35: so many successes in a row; one refusal, or one silence, starts the count anew', async () => {
    for (const failure of [unknownCa, filtered, silence]) {
      const probe = scripted(accepted, accepted, failure, accepted);
      await proveAccepted(probe, leaf, [at('192.0.2.1:1')], need, quiet);
      assert.equal(probe.asked.length, 3 + need.successes);
    }
  });

  it('safety 35: successes enough are no proof before they span the time asked for', async () => {
    const probe = scripted(accepted);
    await proveAccepted(probe, leaf, [at('192.0.2.1:1')], { ...need, overMs: 700 }, quiet);
    assert.ok(probe.asked.length > need.successes);
  });

  it('safety 35: every endpoint has to accept, each time', async () => {
    const refusedAt = (address: string): Probe => ({
      test: async (_leaf, endpoint) => (endpoint.address === address ? unknownCa : accepted),
    });
    for (const address of ['192.0.2.1:1', '192.0.2.2:1']) {
      const endpoints = [at('192.0.2.1:1'), at('192.0.2.2:1')];
      const proof = proveAccepted(refusedAt(address), leaf, endpoints, { ...need, deadlineMs: 300 }, quiet);
      await assert.rejects(proof, { type: 'ProbeRefused' });
    }
  });

  it('safety 35: every address that a name resolves to is asked, under the server name of the name', async () => {
    const found = [
      { address: '192.0.2.7', family: 4 },
      { address: '2001:db8::7', family: 6 },
    ];
    const lookup = mock.method(dns, 'lookup', async () => found);
    syncBuiltinESMExports();
    try {
      const probe = scripted(accepted);
      await proveAccepted(probe, leaf, [at('orders.example:7233')], { ...need, successes: 1 }, quiet);
      const asked = probe.asked.map(({ address, serverName }) => [address, serverName]);
      assert.deepEqual(asked, [
        ['192.0.2.7:7233', 'orders.example'],
        ['[2001:db8::7]:7233', 'orders.example'],
      ]);
    } finally {
      lookup.mock.restore();
      syncBuiltinESMExports();
    }
  });

  it('at the deadline a refusal is ProbeRefused with its reason, silence is ProbeUnreachable', async () => {
    const hurried = { ...need, deadlineMs: 250 };
    const proof = (answer: ProbeResult) => proveAccepted(scripted(answer), leaf, [at('192.0.2.1:1')], hurried, quiet);
    await assert.rejects(proof(unknownCa), { type: 'ProbeRefused', message: /192\.0\.2\.1:1.*unknown ca/ });
    await assert.rejects(proof(silence), { type: 'ProbeUnreachable', message: /no answer in 5000 ms/ });
  });

  it('of no endpoint nothing is proved', async () => {
    await assert.rejects(proveAccepted(scripted(accepted), leaf, [], need, quiet), { type: 'ConfigurationInvalid' });
    await assert.rejects(proveRefused(scripted(unknownCa), leaf, [], need, quiet), { type: 'ConfigurationInvalid' });
  });

  it('is given up at once when the activity is cancelled', async () => {
    const controller = new AbortController();
    const progress = { report: () => controller.abort(), signal: controller.signal };
    await assert.rejects(proveAccepted(scripted(silence), leaf, [at('192.0.2.1:1')], need, progress), /abort/i);
  });
});

describe('proof that a leaf is refused', () => {
  let leaf: KeyPair;
  before(async () => {
    leaf = await aLeaf(await aCa());
  });
  const endpoint = at('192.0.2.1:1');

  it('safety 14: only refusals at TLS count, in a row: a filter, silence or a success starts anew', async () => {
    for (const other of [filtered, silence, accepted]) {
      const probe = scripted(unknownCa, unknownCa, other, unknownCa);
      await proveRefused(probe, leaf, [endpoint], need, quiet);
      assert.equal(probe.asked.length, 3 + need.successes);
    }
  });

  it('safety 14: what a filter refuses, or admits, is OldCertificateAdmitted at the deadline; silence is unreachable', async () => {
    const proof = (answer: ProbeResult) =>
      proveRefused(scripted(answer), leaf, [endpoint], { ...need, deadlineMs: 250 }, quiet);
    await assert.rejects(proof(filtered), { type: 'OldCertificateAdmitted', message: /refused \(rpc\)/ });
    await assert.rejects(proof(accepted), { type: 'OldCertificateAdmitted', message: /accepted/ });
    await assert.rejects(proof(silence), { type: 'ProbeUnreachable' });
  });
});
