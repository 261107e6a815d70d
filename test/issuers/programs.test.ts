import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { chmod, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Program } from '../../src/command.js';
import type { FailureType } from '../../src/domain/failures.js';
import { createCertstrapIssuer } from '../../src/issuers/certstrap.js';
import type { CaRequest, Issuer, LeafRequest } from '../../src/issuers/issuer.js';
import { createTcldIssuer } from '../../src/issuers/tcld.js';
import { findTool } from '../../src/sandbox/tools/index.js';
import { temporaryRoot } from '../../src/temporary-folder.js';
import type { KeyPair } from '../../src/x509/pair.js';
import { aCa } from '../support/certificates.js';

const day = 86_400_000;
const passphrase = 'open sesame';

/** As Go's linker writes the modules of a program into it. */
const olderTcld = Buffer.concat([
  Buffer.from('3077af0c9274080241e1c107e6d618e6', 'hex'),
  Buffer.from('path\tgithub.com/temporalio/tcld/cmd/tcld\nmod\tgithub.com/temporalio/tcld\tv0.54.9\th1:x=\n'),
  Buffer.from('f932433186182072008242104116d8f2', 'hex'),
]);

const kinds = {
  tcld: (program: Program) => createTcldIssuer(program),
  certstrap: (program: Program) => createCertstrapIssuer({ program }),
  'certstrap with a passphrase': (program: Program) =>
    createCertstrapIssuer({ program, passphrase: async () => passphrase }),
} as const;

describe('issuers that run a program', () => {
  let folder: string;
  let ca: KeyPair;
  let tools: Readonly<Record<keyof typeof kinds, string>>;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cert-rotation-test-'));
    ca = await aCa({ now: new Date(Date.now() - day) });
    const certstrap = await findTool('certstrap');
    tools = { tcld: await findTool('tcld'), certstrap, 'certstrap with a passphrase': certstrap };
  });
  after(() => rm(folder, { recursive: true, force: true }));

  const caRequest: CaRequest = {
    subject: { organization: 'Acme' },
    algorithm: 'P-384',
    generation: 1,
    lifetimeMs: 365 * day,
    now: new Date(),
  };
  const leafRequest: LeafRequest = {
    subject: { organization: 'Acme', commonName: 'worker' },
    algorithm: 'P-384',
    lifetimeMs: 30 * day,
    now: new Date(),
  };
  const bothOf = (issuer: Issuer) =>
    [() => issuer.createCa(caRequest), () => issuer.issueLeaf(ca, leafRequest)] as const;
  const left = async () =>
    (await readdir(temporaryRoot()).catch(() => [])).filter((name) => name.startsWith(`${process.pid}-`));

  /** A program in its place: it says that it is the right version, and does `then` with its arguments in `process.argv`. */
  async function pretender(name: string, then: string): Promise<Program> {
    const path = join(folder, name);
    const version = `if (process.argv[2] === '--version') { console.log('certstrap version 1.3.0'); process.exit(); }`;
    await writeFile(path, `#!${process.execPath}\n${version}\n${then}`);
    await chmod(path, 0o755);
    // tcld's version is read from the file: of a file that does not tell, the SHA-256 vouches.
    return {
      path,
      sha256: createHash('sha256')
        .update(await readFile(path))
        .digest('hex'),
    };
  }

  for (const [kind, create] of Object.entries(kinds)) {
    it(`safety 26: ${kind}: missing, not absolute, with another SHA-256, too old or something else: named, and nothing is run`, async () => {
      const older = join(folder, `${kind}-older`);
      await writeFile(older, kind === 'tcld' ? olderTcld : '#!/bin/sh\necho certstrap version 1.2.9\n', {
        mode: 0o755,
      });
      const cases: [Program, FailureType, RegExp][] = [
        [{ path: join(folder, 'nothing') }, 'ToolMissing', /nothing/],
        [{ path: 'tcld' }, 'ToolMissing', /tcld/],
        [{ path: older }, 'ToolUnsuitable', /v(0\.54\.9|1\.2\.9); v(0\.55\.0|1\.3\.0) or newer/],
        [{ path: process.execPath }, 'ToolUnsuitable', /does not tell/],
      ];
      for (const [program, type, message] of cases) {
        for (const call of bothOf(create(program))) await assert.rejects(call, { type, message });
      }
      const other = { path: tools[kind as keyof typeof kinds], sha256: '0'.repeat(64) };
      for (const call of bothOf(create(other)))
        await assert.rejects(call, { type: 'ToolUnsuitable', message: /SHA-256/ });
    });

    it(`safety 7: ${kind}: what fails, writes nothing or writes something unknown is named, and nothing is left on disk`, async () => {
      const garbage = `
        const { writeFileSync } = require('node:fs');
        for (const arg of process.argv) {
          const [, file] = /^--[a-z-]*(?:file|key|cert)=(.*)$/.exec(arg) ?? [];
          if (file) writeFileSync(file, 'garbage');
        }`;
      const cases: [string, FailureType, RegExp][] = [
        [`console.error('out of order'); process.exit(1)`, 'ToolFailed', /out of order/],
        [`process.exit(0)`, 'ToolAnswerUnknown', /nothing readable/],
        [garbage, 'ToolAnswerUnknown', /nothing readable/],
        [`process.kill(process.pid, 'SIGKILL')`, 'ToolFailed', /SIGKILL/],
      ];
      for (const [index, [then, type, message]] of cases.entries()) {
        const program = await pretender(`${kind.replaceAll(' ', '-')}-${index}`, then);
        for (const call of bothOf(create(program))) await assert.rejects(call, { type, message });
        assert.deepEqual(await left(), []);
      }
    });

    it(`safety 7: ${kind}: no key and no passphrase in arguments or environment; files for their owner only`, async () => {
      const report = join(folder, `${kind.replaceAll(' ', '-')}-report`);
      const program = await pretender(
        `${kind.replaceAll(' ', '-')}-spy`,
        `const fs = require('node:fs'), path = require('node:path');
        const arg = process.argv.find((text) => /^--(ca-certificate-file|depot-path)=/.test(text)).split('=')[1];
        const folder = fs.statSync(arg, { throwIfNoEntry: false })?.isDirectory() ? arg : path.dirname(arg);
        const files = Object.fromEntries(fs.readdirSync(folder).map((name) => {
          const file = path.join(folder, name);
          return [name, { mode: fs.statSync(file).mode & 0o777, text: fs.readFileSync(file, 'utf8') }];
        }));
        fs.writeFileSync(${JSON.stringify(report)}, JSON.stringify({
          mode: fs.statSync(folder).mode & 0o777, argv: process.argv, env: process.env, files }));`,
      );
      await assert.rejects(create(program).issueLeaf(ca, leafRequest), { type: 'ToolAnswerUnknown' });
      const seen = JSON.parse(await readFile(report, 'utf8')) as {
        mode: number;
        argv: string[];
        env: Record<string, string>;
        files: Record<string, { mode: number; text: string }>;
      };
      assert.equal(seen.mode, 0o700);
      for (const { mode } of Object.values(seen.files)) assert.equal(mode & 0o077, 0);
      const outside = JSON.stringify([seen.argv, seen.env]);
      for (const secret of [passphrase, ...ca.key.reveal().split('\n').slice(1, -2)])
        assert.ok(!outside.includes(secret));
      const header = kind.includes('passphrase') ? 'ENCRYPTED PRIVATE KEY' : 'PRIVATE KEY';
      assert.ok(seen.files['ca.key']!.text.startsWith(`-----BEGIN ${header}-----`));
    });
  }

  it('safety 2: no leaf of a CA that is younger than the program dates back: tried again later', async () => {
    const young = await aCa({ now: new Date(Date.now() + 5 * 60_000) });
    for (const kind of ['tcld', 'certstrap'] as const) {
      const issuing = kinds[kind]({ path: tools[kind] }).issueLeaf(young, leafRequest);
      await assert.rejects(issuing, { type: 'CaTooYoung', retryable: true });
    }
  });

  it('what the program cannot make is refused before it runs', async () => {
    const nothing = { path: '/nonexistent' };
    const [tcld, certstrap] = [kinds.tcld(nothing), kinds.certstrap(nothing)];
    const refused = [
      tcld.createCa({ ...caRequest, subject: { organization: 'Acme', commonName: 'ca' } }),
      tcld.createCa({ ...caRequest, lifetimeMs: 7 * day }),
      tcld.createCa({ ...caRequest, lifetimeMs: 366 * day }),
      tcld.issueLeaf(ca, { ...leafRequest, subject: { commonName: 'worker' } }),
      tcld.issueLeaf(ca, { ...leafRequest, uris: ['spiffe://acme/worker'] }),
      certstrap.createCa({ ...caRequest, subject: { organization: '../../Acme' } }),
      certstrap.issueLeaf(ca, { ...leafRequest, subject: { organization: 'Acme' } }),
    ];
    for (const issuing of refused) await assert.rejects(issuing, { type: 'IssuerUnable' });
    const untypable = createCertstrapIssuer({ program: { path: tools.certstrap }, passphrase: async () => 'a\nb' });
    await assert.rejects(untypable.createCa(caRequest), { type: 'IssuerUnable' });
  });
});
