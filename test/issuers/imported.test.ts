import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { FailureType } from '../../src/domain/failures.js';
import { createBuiltinIssuer } from '../../src/issuers/builtin.js';
import { readImport, type Import } from '../../src/issuers/imported.js';
import { findTool } from '../../src/sandbox/tools/index.js';
import { presented } from '../../src/x509/chain.js';
import { oids } from '../../src/x509/der.js';
import { sequence } from '../../src/x509/encode.js';
import type { KeyPair } from '../../src/x509/pair.js';
import { aCa, aLeaf } from '../support/certificates.js';
import { aCaUnder, extension, generalNames, printableName } from '../support/chains.js';
import { buildOracle, type Oracle } from '../support/oracle.js';

const day = 86_400_000;
const passphrase = 'open sesame';

describe('a CA that somebody else made', () => {
  let folder: string;
  let oracle: Oracle;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cert-rotation-'));
    oracle = await buildOracle(folder);
  });
  after(() => rm(folder, { recursive: true, force: true }));

  /** Who does not read what is typed must not be sent it: he may have ended by then. */
  const run = (command: string, args: readonly string[], input = '') =>
    execFileSync(command, args, { cwd: folder, stdio: 'pipe', input, encoding: 'utf8' });
  const openssl = (line: string) => run('openssl', line.split(' '));
  const text = (file: string) => readFile(join(folder, file), 'utf8');
  const read = async (files: Import) => readImport(files, new Date());

  /** Made by OpenSSL with that key. */
  async function certificateFor(keyFile: string, options = '-sha256'): Promise<string> {
    const pass = `-passin pass:${passphrase.replace(' ', '_')}`;
    openssl(
      `req -x509 ${options} -new -key ${keyFile} ${pass} -subj /O=Acme/CN=${keyFile} -days 30 -out ${keyFile}.crt`,
    );
    return text(`${keyFile}.crt`);
  }

  /** It signs leaves that Go and OpenSSL verify. */
  async function assertSigns(ca: KeyPair): Promise<void> {
    const leaf = await createBuiltinIssuer().issueLeaf(ca, {
      subject: { commonName: 'worker' },
      algorithm: 'P-256',
      lifetimeMs: day,
      now: new Date(),
    });
    const root = ca.chain?.at(-1) ?? ca.certificate;
    oracle.verify(root.pem, presented(leaf), { strict: false });
  }

  const keys: [string, string, string][] = [
    ['PKCS#1', 'rsa.key', 'genrsa -traditional -out rsa.key 2048'],
    ['SEC1', 'sec1.key', 'ecparam -name secp384r1 -genkey -noout -out sec1.key'],
    ['PKCS#8', 'pkcs8.key', 'genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out pkcs8.key'],
    [
      'PKCS#1, encrypted',
      'rsa-locked.key',
      'genrsa -traditional -aes256 -passout pass:open_sesame -out rsa-locked.key 2048',
    ],
    [
      'PKCS#8, encrypted',
      'pkcs8-locked.key',
      'genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -aes256 -pass pass:open_sesame -out pkcs8-locked.key',
    ],
  ];
  for (const [form, file, command] of keys) {
    it(`of openssl, key in ${form}: signs from now on`, async () => {
      openssl(command);
      const certificate = await certificateFor(file);
      const locked = form.includes('encrypted');
      const files = { certificate, key: await text(file), ...(locked && { passphrase: 'open_sesame' }) };
      await assertSigns(await read(files));
      if (!locked) return;
      await assert.rejects(read({ ...files, passphrase: 'wrong' }), { type: 'ImportKeyLocked', message: /passphrase/ });
      await assert.rejects(read({ ...files, passphrase: undefined }), {
        type: 'ImportKeyLocked',
        message: /encrypted/,
      });
    });
  }

  for (const options of [[], ['--rsa']]) {
    it(`of tcld gen ca ${options.join(' ')}: signs from now on`, async () => {
      const files = ['--ca-cert=tcld.pem', '--ca-key=tcld.key'];
      const global = ['--auto_confirm'];
      const env = { ...process.env, TEMPORAL_CLOUD_API_KEY: 'unused' };
      const args = [...global, 'gen', 'ca', '--org=Acme', '-d=30d', ...options, ...files];
      execFileSync(await findTool('tcld'), args, { cwd: folder, stdio: 'pipe', env });
      await assertSigns(await read({ certificate: await text('tcld.pem'), key: await text('tcld.key') }));
    });
  }

  const depots: [string, string[]][] = [
    ['rsa', ['--key-bits=2048']],
    ['ec', ['--curve=P-384']],
  ];
  for (const [kind, options] of depots) {
    it(`of a certstrap depot, ${kind}, with and without passphrase: signs from now on; a wrong passphrase is named`, async () => {
      for (const [name, flags] of [['open', ['--passphrase=']] as const, ['locked', []] as const]) {
        const depot = join(folder, `depot-${kind}`);
        const typed = name === 'locked' ? `${passphrase}\n`.repeat(2) : '';
        const args = [`--depot-path=${depot}`, 'init', `--cn=${name}`, ...flags, ...options];
        run(await findTool('certstrap'), args, typed);
        const files = {
          certificate: await text(`depot-${kind}/${name}.crt`),
          key: await text(`depot-${kind}/${name}.key`),
        };
        const secret = name === 'locked' ? { passphrase } : {};
        await assertSigns(await read({ ...files, ...secret }));
        if (name === 'open') continue;
        await assert.rejects(read({ ...files, passphrase: 'wrong' }), {
          type: 'ImportKeyLocked',
          message: /passphrase/,
        });
        await assert.rejects(read(files), { type: 'ImportKeyLocked', message: /encrypted/ });
      }
    });
  }

  it('safety 3: an intermediate comes with its chain, in any order, in one file or two', async () => {
    const root = await aCaUnder(undefined);
    const upper = await aCaUnder(root);
    const lower = await aCaUnder(upper);
    const key = lower.key.reveal();
    const above = [upper.certificate, root.certificate];
    const chain = [root, upper].map(({ certificate }) => certificate.pem).join('\n');
    for (const files of [
      { certificate: lower.certificate.pem, chain },
      { certificate: `${lower.certificate.pem}${chain}` },
    ]) {
      const imported = await read({ ...files, key });
      assert.deepEqual(imported.chain, above);
      await assertSigns(imported);
    }
    assert.equal((await read({ certificate: root.certificate.pem, key: root.key.reveal() })).chain, undefined);
  });

  interface Refusal {
    readonly what: string;
    readonly files: () => Promise<Import>;
    readonly type: FailureType;
    readonly message: RegExp;
  }
  const of = ({ certificate, key, chain = [] }: KeyPair): Import => ({
    certificate: [certificate, ...chain].map(({ pem }) => pem).join(''),
    key: key.reveal(),
  });
  const past = { now: new Date(Date.now() - 60 * day), lifetimeMs: 30 * day };
  const weak = async (file: string, bits: number, options: string): Promise<Import> => {
    openssl(`genrsa -out ${file} ${bits}`);
    return { certificate: await certificateFor(file, options), key: await text(file) };
  };
  const refusals: Refusal[] = [
    { what: 'expired', files: async () => of(await aCa(past)), type: 'ImportExpired', message: /valid from .* to/ },
    {
      what: 'not valid yet',
      files: async () => of(await aCa({ now: new Date(Date.now() + day) })),
      type: 'ImportExpired',
      message: /valid from/,
    },
    {
      what: 'no CA',
      files: async () => of(await aLeaf(await aCa())),
      type: 'ImportNotCa',
      message: /CN=worker.*no CA/,
    },
    {
      what: 'signed with SHA-1',
      files: () => weak('sha1.key', 2048, '-sha1'),
      type: 'ImportTooWeak',
      message: /signed with SHA-1/,
    },
    {
      what: 'with a short RSA key',
      files: () => weak('short.key', 1024, '-sha256'),
      type: 'ImportTooWeak',
      message: /RSA-1024/,
    },
    {
      what: 'with the key of another CA',
      files: async () => ({ ...of(await aCa()), key: (await aCa()).key.reveal() }),
      type: 'ImportKeyMismatch',
      message: /does not belong/,
    },
    {
      what: 'an intermediate without its root',
      files: async () => of({ ...(await aCaUnder(await aCaUnder(undefined))), chain: [] }),
      type: 'ImportChainIncomplete',
      message: /to its root/,
    },
    {
      what: 'under an expired root',
      files: async () => of(await aCaUnder(await aCaUnder(undefined, past))),
      type: 'ImportExpired',
      message: /valid from/,
    },
    {
      what: 'with the name of its root',
      files: async () => of(await aCaUnder(await aCaUnder(undefined, { name: 'One' }), { name: 'ONE' })),
      type: 'ImportChainIncomplete',
      message: /have the name/,
    },
    {
      what: 'that its root does not let sign leaves',
      files: async () => of(await aCaUnder(await aCaUnder(undefined, { pathLength: 0 }))),
      type: 'ImportNotAdmitted',
      message: /has a path length of 0, and 1 CAs/,
    },
    {
      what: 'for servers only',
      files: async () => of(await aCaUnder(undefined, { purposes: ['1.3.6.1.5.5.7.3.1'] })),
      type: 'ImportNotAdmitted',
      message: /not that of client authentication/,
    },
    {
      what: 'under a root that lets nobody have the name of the CA',
      files: async () =>
        of(
          await aCaUnder(await aCaUnder(undefined, { constraints: { permitted: [generalNames.dns('example.com')] } }), {
            extensions: [extension(oids.subjectAltName, false, sequence(generalNames.dns('ca.example.org')))],
          }),
        ),
      type: 'ImportNotAdmitted',
      message: /DNS name ca\.example\.org is not permitted by the name constraints of /,
    },
    ...(
      [
        ['-7', /negative serial number/],
        ['0', /serial number zero/],
        ['0x0102030405060708090a0b0c0d0e0f101112131415', /serial number of more than 20 octets/],
      ] as const
    ).map(([serial, message]) => ({
      what: `with the serial number ${serial}`,
      files: () => weak(`serial${serial}.key`, 2048, `-sha256 -set_serial ${serial}`),
      type: 'ImportMalformed' as const,
      message,
    })),
    ...['temporal_ca', 'ca@acme'].map((name) => ({
      what: `named ${name} in a PrintableString`,
      files: async () => of(await aCaUnder(undefined, { subject: printableName([oids.commonName, name]) })),
      type: 'ImportMalformed' as const,
      message: /characters that its string type \(PrintableString\) does not have/,
    })),
    {
      what: 'under a root that Go does not read',
      files: async () =>
        of(await aCaUnder(await aCaUnder(undefined, { subject: printableName([oids.commonName, 'the_root']) }))),
      type: 'ImportMalformed',
      message: /PrintableString/,
    },
    {
      what: 'without a certificate',
      files: async () => ({ ...of(await aCa()), certificate: '' }),
      type: 'ImportUnreadable',
      message: /no certificate/,
    },
    {
      what: 'that is garbage',
      files: async () => ({ ...of(await aCa()), certificate: 'garbage' }),
      type: 'ImportUnreadable',
      message: /cannot be read/,
    },
    {
      what: 'with a public key for a key',
      files: async () => {
        const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
        return { ...of(await aCa()), key: publicKey.export({ type: 'spki', format: 'pem' }) as string };
      },
      type: 'ImportUnreadable',
      message: /no private key/,
    },
  ];
  it('named in a PrintableString with a * that Go lets pass, it signs from now on', async () => {
    await assertSigns(
      await read(of(await aCaUnder(undefined, { subject: printableName([oids.organization, '*.acme']) }))),
    );
  });

  for (const { what, files, type, message } of refusals) {
    it(`${what} is refused: ${type}, with nothing of the key in the message`, async () => {
      const given = await files();
      await assert.rejects(read(given), (error: Error & { type: string; fix: string }) => {
        assert.equal(error.type, type, error.message);
        assert.match(error.message, message);
        assert.ok(error.fix.length > 0);
        const line = given.key.split('\n')[1]!;
        assert.ok(!`${error.stack}${String(error.cause)}`.includes(line));
        return true;
      });
    });
  }
});
