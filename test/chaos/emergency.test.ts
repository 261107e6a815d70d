import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { parse, stringify } from 'yaml';
import { openKeystore } from '../../src/cli/keystore.js';
import { loadConfig } from '../../src/config/load.js';
import { short } from '../../src/domain/certificate.js';
import { entries } from '../../src/domain/ids.js';
import { followClientPair, type ClientPair } from '../../src/sandbox/client-pair.js';
import { booking } from '../../src/sandbox/configuration.js';
import type { KeyPair } from '../../src/x509/pair.js';
import { aLeaf } from '../support/certificates.js';
import { eventually } from '../support/eventually.js';
import { replaceRotationWorker } from '../support/rotation-worker.js';
import { SandboxRun } from '../support/sandbox-run.js';
import { runStarter, type Ran } from '../support/starter.js';
import { temporalCliWith } from '../support/temporal-cli.js';

const declared = ['--who=ada', '--why=the CA key was in a public bucket'];

describe('safety 43: the key of the CA leaked, and somebody uses it', () => {
  let run: SandboxRun;
  let pair: ClientPair;

  before(async () => {
    run = await SandboxRun.begin();
    pair = await followClientPair(run.sandbox);
    await run.everyWorkerPolls();
  });
  after(() => run?.stop());

  /** What a person types, over a connection whose certificate is that of the booking workers. */
  async function starter(...args: readonly string[]): Promise<Ran> {
    await pair.sync();
    return runStarter(args, {
      PATH: process.env['PATH'],
      HOME: run.dir,
      CERT_ROTATION_CONFIG: run.sandbox.configFile,
      CERT_ROTATION_ALLOW: 'foreign-cloud',
      TEMPORAL_ADDRESS: run.sandbox.gateway.address,
      TEMPORAL_TLS_CLIENT_CERT_PATH: pair.files.certificate,
      TEMPORAL_TLS_CLIENT_KEY_PATH: pair.files.key,
      TEMPORAL_TLS_SERVER_CA_CERT_PATH: run.sandbox.gateway.caFile,
      TEMPORAL_TLS_SERVER_NAME: run.sandbox.gateway.serverNameOf(booking.namespace),
    });
  }
  async function done(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await starter(...args);
    assert.equal(code, 0, stderr);
    return stdout + stderr;
  }
  const status = async () =>
    (JSON.parse((await starter('status', booking.authority, '-o', 'json')).stdout || '[{}]') as Partial<Status>[])[0]!;
  interface Status {
    readonly outcome: string;
    readonly phase: string;
    readonly waitsFor: string;
    readonly next: string;
    readonly exposed: readonly string[];
  }
  const asked = () =>
    eventually(async () => {
      const { phase, next } = await status();
      return phase === 'approve' && next?.startsWith('cert-rotation approve');
    }, 240_000);

  /** Whoever has the key of the CA that is current now: makes certificates that every filter of the namespace admits. */
  async function thief(): Promise<{ readonly getsIn: () => Promise<boolean>; readonly ca: string }> {
    const keystore = await openKeystore(await loadConfig(run.sandbox.configFile));
    const [ca] = run.bundle() as [string];
    const stolen = (await keystore.get(entries.ca(booking.authority, ca))) as unknown as KeyPair;
    const { certificate, key } = await aLeaf(stolen, { commonName: booking.namespace });
    const made = { certificate: certificate.pem, key: key.reveal() };
    const cli = await temporalCliWith(run.sandbox, join(run.dir, `thief-${short(ca)}`), made);
    const getsIn = () => cli('workflow', 'list', '--limit=1').then(() => true, isRefusal);
    return { getsIn, ca };
  }
  function isRefusal(error: { readonly stderr?: string }): false {
    assert.match(error.stderr ?? '', /tls|certificate|handshake/i);
    return false;
  }

  describe('a rotation that waits for its approval is taken over', () => {
    const saved = () => join(run.dir, 'trust.json');
    let whoever: Awaited<ReturnType<typeof thief>>;
    let ended: string;
    before(async () => {
      whoever = await thief();
      assert.ok(await whoever.getsIn());
      await done('break-glass', 'save', booking.authority, '--to', saved());
      await done('rotate', 'ca', booking.authority, '--no-wait');
      await asked();
      assert.ok(await whoever.getsIn(), 'refused before the removal: nothing is shown by a refusal after it');
      ended = await done('emergency', 'ca', booking.authority, ...declared);
      await run.noteLeaves();
    });

    it('it ends by itself, and says who declared it', () => {
      assert.match(ended, /the emergency of ada is declared and on record/);
      assert.match(ended, /completed/);
    });

    it('the namespace trusts the new CA alone, and whoever has the leaked key is refused', async () => {
      assert.equal(run.bundle().length, 1);
      assert.ok(!run.bundle().includes(whoever.ca));
      await eventually(async () => !(await whoever.getsIn()), 60_000);
      const { exposed } = await status();
      assert.deepEqual(exposed, [`Compromised CA ${short(whoever.ca)} is trusted by no namespace any more.`]);
    });

    it('no call of a worker or starter failed, and the workers were never down', async () => {
      const { failedByCode, workerDowntimeMs } = await run.measures(booking, { probesShowNoLeaf: true });
      assert.deepEqual(failedByCode, {});
      assert.equal(workerDowntimeMs, 0);
    });

    it('who and why are on the record of the authority', async () => {
      const shown = await done('audit', 'show', booking.authority, '-o', 'json');
      assert.match(shown, /emergency: the CA key was in a public bucket/);
    });

    it('`break-glass restore` leaves the leaked CA out of a file that was saved before', async () => {
      const trusted = run.bundle();
      await done('break-glass', 'restore', '--from', saved(), '--who=sam', '--why=by mistake');
      assert.deepEqual(run.bundle(), trusted);
      assert.equal(await whoever.getsIn(), false);
    });
  });

  describe('where the configuration lists approvers', () => {
    let whoever: Awaited<ReturnType<typeof thief>>;
    let adasKey: string;
    before(async () => {
      adasKey = join(run.dir, 'ada.pem');
      const { publicKey, privateKey } = generateKeyPairSync('ed25519');
      await writeFile(adasKey, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
      const config = parse(await readFile(run.sandbox.configFile, 'utf8')) as {
        authorities: Record<string, { approval?: object }>;
      };
      const approvers = { ada: { publicKey: publicKey.export({ type: 'spki', format: 'pem' }) } };
      const authority = config.authorities[booking.authority]!;
      authority.approval = { ...authority.approval, approvers };
      await writeFile(run.sandbox.configFile, stringify(config));
      await replaceRotationWorker(run.sandbox);
      whoever = await thief();
      await done('emergency', 'ca', booking.authority, ...declared, '--no-wait');
      await asked();
    });

    it('nobody is left on the leaked CA, which stays trusted until one of them signs, and that is said', async () => {
      const { exposed } = await status();
      assert.equal(exposed?.length, 1);
      assert.match(exposed[0]!, /is still trusted by 1 namespace .*no known target uses it any more/);
      const { code, stderr } = await starter('approve', booking.authority, '--who=ada', '--why=seen');
      assert.equal(code, 2);
      assert.match(stderr, /only ada may approve, signed/);
      assert.ok(await whoever.getsIn());
    });

    it('`abort` is refused: nothing goes back to the leaked CA', async () => {
      const trusted = run.bundle();
      const { code, stderr } = await starter('abort', booking.authority, '--who=sam', '--why=a doubt');
      assert.equal(code, 2);
      assert.match(stderr, /compromised/);
      assert.deepEqual(run.bundle(), trusted);
    });

    it('the signature removes it, and whoever has the leaked key is refused', async () => {
      await done('approve', booking.authority, '--who=ada', '--why=seen', '--sign-with', adasKey);
      await eventually(async () => (await status()).outcome === 'completed', 120_000);
      assert.equal(run.bundle().length, 1);
      assert.ok(!run.bundle().includes(whoever.ca));
      await eventually(async () => !(await whoever.getsIn()), 60_000);
    });
  });

  it('safety 8: no key of the run is in a history, log, argument, environment, file, object or metric', async () =>
    assert.deepEqual(await run.placesWithKeys(), []));
});
