import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import type { Endpoint, Probe, ProbeResult } from '../../src/probes/probe.js';
import { proveAccepted, proveRefused } from '../../src/probes/streak.js';
import { startDevServer, type DevServer } from '../../src/sandbox/dev-server.js';
import { startGateway, type Gateway } from '../../src/sandbox/gateway/index.js';
import { freePorts } from '../../src/sandbox/ports.js';
import { findTool } from '../../src/sandbox/tools/index.js';
import type { KeyPair } from '../../src/x509/pair.js';
import { aCa, aLeaf } from '../support/certificates.js';
import { aCaUnder } from '../support/chains.js';

/** One kind of probe. */
export interface ProbeRow {
  readonly kind: string;
  readonly open: (options: { deadlineMs: number }) => Promise<Probe>;
  /** The alert that a leaf of an unknown CA gets. A Go client sends no certificate that the server did not ask for. */
  readonly unknownCa: string;
}

const [orders, billing] = ['orders.sdvdw', 'billing.sdvdw'] as const;
const day = 86_400_000;
const quiet = { report: () => undefined, signal: new AbortController().signal };
/** When each front end takes a change of trust over; the first at once, as in Temporal Cloud. */
const frontendDelaysMs = [0, 400, 1200];

/** The promises of the port `Probe`, against the real gateway in front of the real Temporal server. */
export function probeContract({ kind, open, unknownCa }: ProbeRow): void {
  describe(`probe ${kind}`, () => {
    let dir: string;
    let temporal: DevServer;
    let gateway: Gateway;
    let probe: Probe;
    let endpoint: Endpoint;
    let [ca, other]: KeyPair[] = [];
    let leaf: KeyPair;
    let silent: net.Server;
    const held = new Set<net.Socket>();

    before(async () => {
      dir = mkdtempSync(join(tmpdir(), 'cert-rotation-'));
      temporal = await startDevServer({ temporal: await findTool('temporal'), dir, namespaces: [orders, billing] });
      gateway = await startGateway({
        binary: await findTool('gateway'),
        dir,
        upstream: temporal.address,
        connectionAgeMs: 5000,
        connectionAgeGraceMs: 4000,
        frontendDelaysMs,
      });
      probe = await open({ deadlineMs: 5000 });
      const longAgo = { now: new Date(Date.now() - 90 * day) };
      [ca, other] = await Promise.all([aCa(longAgo), aCa(longAgo)]);
      leaf = await aLeaf(ca!);
      endpoint = {
        namespace: orders,
        address: gateway.address,
        serverName: gateway.serverNameOf(orders),
        serverRoots: readFileSync(gateway.caFile, 'utf8'),
      };
      silent = net.createServer((socket) => void held.add(socket)).listen(0, '127.0.0.1');
      await trust([ca!]);
    });
    after(async () => {
      for (const socket of held) socket.destroy();
      silent?.close();
      await gateway?.stop();
      await temporal?.stop();
      rmSync(dir, { recursive: true, force: true });
    });
    afterEach(() => trust([ca!]));

    const trust = (cas: readonly KeyPair[], options: { commonName?: string; immediate?: boolean } = {}) => {
      const { commonName, immediate = true } = options;
      const bundlePem = cas.map(({ certificate }) => certificate.pem).join('');
      return gateway.setTrust(orders, { bundlePem, filters: commonName ? [{ commonName }] : [] }, { immediate });
    };
    /** How often a front end has taken a change over, by the gateway's own record. */
    const takeovers = async () => (await gateway.record()).filter(({ kind }) => kind === 'trust-effective').length;
    const answers: ProbeResult[] = [];
    const answerTo = async (pair: KeyPair, where: Partial<Endpoint> = {}): Promise<ProbeResult> => {
      const answer = await probe.test(pair, { ...endpoint, ...where });
      answers.push(answer);
      return answer;
    };

    it('a leaf of a trusted CA is accepted, and where is said', async () => {
      assert.deepEqual(await answerTo(leaf), { outcome: 'accepted', remote: gateway.address });
    });

    it('safety 3: a leaf of an intermediate is accepted where its root only is trusted: its chain is presented', async () => {
      const root = await aCaUnder(undefined);
      await trust([root]);
      const under = await aLeaf(await aCaUnder(root));
      assert.equal((await answerTo(under)).outcome, 'accepted');
      const { certificate, key } = under;
      assert.equal((await answerTo({ certificate, key })).outcome, 'refused');
    });

    it('a leaf of another CA is refused at TLS, with the name of the alert', async () => {
      const answer = { outcome: 'refused', layer: 'tls', reason: unknownCa };
      assert.deepEqual(await answerTo(await aLeaf(other!)), answer);
    });

    it('an expired leaf is refused at TLS, with the name of the alert', async () => {
      const expired = await aLeaf(ca!, { now: new Date(Date.now() - 60 * day), lifetimeMs: day });
      const answer = { outcome: 'refused', layer: 'tls', reason: 'certificate expired' };
      assert.deepEqual(await answerTo(expired), answer);
    });

    it('a leaf that no filter admits is refused at the RPC, whatever the call', async () => {
      await trust([ca!], { commonName: 'somebody-else' });
      const answer = await answerTo(leaf);
      assertRefusedRpc(answer, /^any call: .*unauthorized/);
    });

    it('old and new leaf, with the old, both and the new CA in the bundle, with and without filters: each is admitted or refused as the cloud does', async () => {
      const leaves = { old: leaf, new: await aLeaf(other!) };
      const bundles = { old: [ca!], both: [ca!, other!], new: [other!] };
      const seen: Record<string, string> = {};
      const expected: Record<string, string> = {};
      for (const [bundle, cas] of Object.entries(bundles)) {
        for (const filter of [undefined, 'worker', 'somebody-else']) {
          await trust(cas, filter === undefined ? {} : { commonName: filter });
          for (const [which, pair] of Object.entries(leaves)) {
            const answer = await answerTo(pair);
            const row = `${which} leaf, bundle ${bundle}, filter ${filter ?? 'none'}`;
            seen[row] = answer.outcome === 'refused' ? `refused (${answer.layer})` : answer.outcome;
            const trusted = bundle === 'both' || bundle === which;
            expected[row] = !trusted ? 'refused (tls)' : filter === 'somebody-else' ? 'refused (rpc)' : 'accepted';
          }
        }
      }
      assert.deepEqual(seen, expected);
      assert.equal(Object.keys(seen).length, 18);
    });

    it('a namespace that the certificate is not for is refused at the RPC, and named', async () => {
      assertRefusedRpc(await answerTo(leaf, { namespace: billing }), /^the namespace billing\.sdvdw: .*unauthorized/);
    });

    it('a port that nobody listens on is unreachable', async () => {
      const [port] = await freePorts(1);
      assertUnreachable(await answerTo(leaf, { address: `127.0.0.1:${port}` }), /refused/i);
    });

    it('a server that never answers is unreachable, at the deadline', async () => {
      const impatient = await open({ deadlineMs: 300 });
      const address = `127.0.0.1:${(silent.address() as net.AddressInfo).port}`;
      assertUnreachable(await impatient.test(leaf, { ...endpoint, address }), /300 ms/);
    });

    it('a name that does not resolve is unreachable, and named', async () => {
      assertUnreachable(await answerTo(leaf, { address: 'nowhere.invalid:7233' }), /nowhere\.invalid/);
    });

    it('a server whose certificate is not trusted is unreachable: it gets no say', async () => {
      assertUnreachable(await answerTo(leaf, { serverRoots: other!.certificate.pem }), /certificate/);
    });

    it('a server in trouble, for a name that it does not have, has not refused the certificate', async () => {
      assertUnreachable(await answerTo(leaf, { serverName: 'unknown.tmprl.cloud' }), /internal.error/i);
    });

    it('the key is in none of these answers', () => {
      assert.ok(answers.length > 5);
      for (const line of leaf.key.reveal().split('\n').slice(1, -2)) assert.ok(!JSON.stringify(answers).includes(line));
    });

    it('safety 35: trust is proved when every front end has taken it over, not at the first success', async () => {
      const fresh = await aLeaf(other!);
      const before = await takeovers();
      await trust([ca!, other!], { immediate: false });
      await proveAccepted(probe, fresh, [endpoint], { successes: 5, overMs: 500, deadlineMs: 60_000 }, quiet);
      assert.equal((await takeovers()) - before, frontendDelaysMs.length, 'a front end had not taken the new CA over');
    });

    it('safety 14: a removal is proved when every front end refuses at TLS', async () => {
      const old = await aLeaf(other!);
      await trust([ca!, other!]);
      const before = await takeovers();
      await trust([ca!], { immediate: false });
      await proveRefused(probe, old, [endpoint], { successes: 5, deadlineMs: 60_000 }, quiet);
      assert.equal((await takeovers()) - before, frontendDelaysMs.length, 'a front end still admitted the old CA');
    });
  });
}

function assertRefusedRpc(answer: ProbeResult, reason: RegExp): void {
  assert.ok(answer.outcome === 'refused' && answer.layer === 'rpc', JSON.stringify(answer));
  assert.match(answer.reason, new RegExp(reason, 'i'));
}

function assertUnreachable(answer: ProbeResult, reason: RegExp): void {
  assert.ok(answer.outcome === 'unreachable', JSON.stringify(answer));
  assert.match(answer.reason, reason);
}
