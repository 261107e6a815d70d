import { mkdtempSync, rmSync } from 'node:fs';
import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { makeServerCertificate } from '../support/server-certificate.js';
import { Slots } from '../support/slots.js';
import { soak, type SoakCounts } from '../support/soak.js';

const [seed, rotations] = [1, 16];

describe('safety 44: kills and faults of the cloud at random, several in one rotation', () => {
  let dir: string;
  let slots: Slots;
  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'cert-rotation-'));
    slots = await Slots.begin();
  });
  after(async () => {
    await slots?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  let counts: SoakCounts;
  it(`safety 44: each of ${rotations} rotations completes, at once or when it is started again`, async (test) => {
    const goesOn = (done: number) => done < rotations;
    counts = await soak({ slots, certificate: makeServerCertificate(dir), seed, goesOn });
    assert.equal(counts.rotations, rotations);
    assert.ok(counts.kills >= rotations && counts.faults >= 10, JSON.stringify(counts));
    test.diagnostic(`kills survived ${counts.kills}, faults survived ${counts.faults}, calls failed ${counts.failed}`);
  });

  it('safety 8: no key of any of these rotations is in a history, heartbeat, record or entry of the keystore', () =>
    assert.deepEqual(counts.leaks, []));
});
