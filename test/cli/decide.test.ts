import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parse, stringify } from 'yaml';
import { evidenceLines, refuseOwnLockOut } from '../../src/cli/decide.js';
import { loadConfig, type LoadedConfig } from '../../src/config/load.js';
import type { KeyPair } from '../../src/x509/pair.js';
import { aCa, aLeaf } from '../support/certificates.js';
import { evidence, plan } from '../support/fake-activities.js';

const example = fileURLToPath(new URL('../../examples/temporal-booking/rotation.yaml', import.meta.url));

describe('safety 40: nobody approves with a certificate that the removal would lock out', () => {
  let dir: string;
  let old: KeyPair;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cert-rotation-test-'));
    old = await aCa();
  });
  after(() => rm(dir, { recursive: true, force: true }));

  /** The configuration of somebody who connects with this pair. */
  async function connectingWith({ certificate, key }: KeyPair): Promise<LoadedConfig> {
    const tls = { certificateFile: join(dir, 'tls.crt'), keyFile: join(dir, 'tls.key') };
    await writeFile(tls.certificateFile, certificate.pem);
    await writeFile(tls.keyFile, key.reveal(), { mode: 0o600 });
    const config = parse(await readFile(example, 'utf8')) as { temporal: object };
    const file = join(dir, 'rotation.yaml');
    await writeFile(file, stringify({ ...config, temporal: { ...config.temporal, tls } }));
    return loadConfig(file);
  }

  it('a leaf of the CA to be removed is refused', async () => {
    const loaded = await connectingWith(await aLeaf(old));
    await assert.rejects(refuseOwnLockOut(loaded, { old: old.certificate }), /this very connection comes from CA/);
  });

  it('a leaf of a CA of the same name is not: the signature decides', async () => {
    const loaded = await connectingWith(await aLeaf(await aCa()));
    await refuseOwnLockOut(loaded, { old: old.certificate });
  });

  it('nor is a connection without a certificate', async () => {
    await refuseOwnLockOut(await loadConfig(example), { old: old.certificate });
  });
});

it('safety 13: whoever approves reads who may be locked out, and when each was seen last', () => {
  const lastSeen = '2026-11-20T09:00:00.000Z';
  const doubtful = evidence({
    unknownPollers: [`1@laptop (booking), last polled ${lastSeen}`],
    unknownClients: [{ name: 'web', namespace: 'booking', does: ['starts workflows'], lastSeen }],
  });
  const lines = evidenceLines({ evidence: doubtful, plan: plan('booking') }).filter((line) => line.includes(lastSeen));
  assert.deepEqual(lines, [
    `Belongs to nobody known, and may be locked out: 1@laptop (booking), last polled ${lastSeen}`,
    `Belongs to nobody known, and may be locked out: web (starts workflows in booking, last seen ${lastSeen})`,
  ]);
});
