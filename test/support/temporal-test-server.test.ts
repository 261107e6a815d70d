import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { temporalTestServer, verifyJars } from './temporal-test-server.js';

describe('safety 26: the jars of the test server are exactly those pinned', () => {
  let lib: string;
  before(async () => {
    lib = await mkdtemp(join(tmpdir(), 'cert-rotation-jars-'));
    await writeFile(join(lib, 'a.jar'), 'a');
  });
  after(() => rm(lib, { recursive: true, force: true }));

  const a = 'ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb  a.jar';

  it('as they are', () => verifyJars(lib, `${a}\n`));

  it('one that differs, one that is missing and one besides are each refused by name', async () => {
    await assert.rejects(verifyJars(lib, a.replace('ca9', 'cb9')), /not those pinned: .*a\.jar/);
    await assert.rejects(verifyJars(lib, `${a}\n${a.replace('a.jar', 'b.jar')}\n`), /b\.jar/);
    await assert.rejects(verifyJars(lib, '\n'), /a\.jar/);
  });

  it('without Java it says what to install', async () => {
    const path = process.env['PATH'];
    process.env['PATH'] = lib;
    try {
      await assert.rejects(temporalTestServer(), /java is needed and not installed\. Install Java 17/);
    } finally {
      process.env['PATH'] = path;
    }
  });
});
