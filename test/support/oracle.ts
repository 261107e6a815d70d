import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { fileURLToPath } from 'node:url';

/** What Go read of a certificate. Names and extension values are DER in hex. */
export interface GoFacts {
  /** Signed decimal. */
  readonly serial: string;
  readonly subject: string;
  readonly issuer: string;
  /** `ECDSA-SHA384`, `SHA256-RSA`. */
  readonly signature: string;
  readonly isCa: boolean;
  /** -1: none. */
  readonly pathLen: number;
  /** Bits of Go's x509.KeyUsage: 1 digitalSignature, 32 keyCertSign, 64 cRLSign. */
  readonly keyUsage: number;
  /** Go's x509.ExtKeyUsage: 1 serverAuth, 2 clientAuth. */
  readonly purposes: readonly number[] | null;
  readonly extensions: Readonly<Record<string, { readonly critical: boolean; readonly value: string }>>;
}

export interface Verified {
  readonly roots: readonly GoFacts[];
  readonly chain: readonly GoFacts[];
}

/** Independent judges of certificates: Go's crypto/x509, as Temporal Cloud's front ends have it, and OpenSSL. */
export interface Oracle {
  /**
   * Throws with the judge's own words when one of them does not verify the first certificate of `chain` for client
   * authentication. PEM texts. `strict`: OpenSSL also minds what RFC 5280 asks for and Go lets pass.
   */
  verify(roots: string, chain: string, options?: { strict?: boolean }): Verified;
  /** Does Go verify it? The other judge is not asked. */
  admits(roots: string, chain: string): boolean;
  /** The DER of a certificate as OpenSSL sees it, in order: `['UTF8STRING', 'Acme']`. */
  elements(pem: string): readonly (readonly [type: string, value: string])[];
}

/** The judges of the `describe` that this is called in: there before its first test, gone after the last. */
export function oracleHere(): Oracle {
  let folder: string;
  let oracle: Oracle;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'cert-rotation-'));
    oracle = await buildOracle(folder);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));
  return {
    verify: (...judged) => oracle.verify(...judged),
    admits: (...judged) => oracle.admits(...judged),
    elements: (pem) => oracle.elements(pem),
  };
}

/** Builds the Go judge into `folder`, which keeps the texts that are judged, too. */
export async function buildOracle(folder: string): Promise<Oracle> {
  const binary = join(folder, 'verify');
  const source = fileURLToPath(new URL('../../sandbox/verify', import.meta.url));
  execFileSync('go', ['build', '-o', binary, '.'], { cwd: source, stdio: 'pipe' });
  const [rootsFile, chainFile] = [join(folder, 'roots.pem'), join(folder, 'chain.pem')];
  const run = (command: string, args: readonly string[]) =>
    execFileSync(command, args, { stdio: 'pipe', encoding: 'utf8' });
  return {
    verify(roots, chain, { strict = true } = {}) {
      writeFileSync(rootsFile, roots);
      writeFileSync(chainFile, chain);
      const files = ['-CAfile', rootsFile, '-untrusted', chainFile, chainFile];
      run('openssl', ['verify', ...(strict ? ['-x509_strict'] : []), '-purpose', 'sslclient', ...files]);
      return JSON.parse(run(binary, [rootsFile, chainFile])) as Verified;
    },
    admits(roots, chain) {
      writeFileSync(rootsFile, roots);
      writeFileSync(chainFile, chain);
      return spawnSync(binary, [rootsFile, chainFile]).status === 0;
    },
    elements(pem) {
      writeFileSync(chainFile, pem);
      const lines = run('openssl', ['asn1parse', '-in', chainFile]).trimEnd().split('\n');
      return lines.map((line) => {
        const [, type = '', value = ''] = /(?:prim|cons): (.*?) *(?::(.*))?$/.exec(line) ?? [];
        return [type, value] as const;
      });
    },
  };
}
