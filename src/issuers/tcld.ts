import { join } from 'node:path';
import type { Program } from '../command.js';
import { RotationError } from '../domain/failures.js';
import { assertSuitable, tcldProgram } from '../program-version.js';
import { withTemporaryFolder } from '../temporary-folder.js';
import type { KeyPair } from '../x509/pair.js';
import { generationName, issuedCa, issuedLeaf } from './issued.js';
import type { CaRequest, Issued, Issuer, LeafRequest, Subject } from './issuer.js';
import { leafSeconds, readMade, runIssuer, writeForProgram } from './program-files.js';

/** tcld dates certificates back by a minute, and CAs live between these. */
const backdateMs = 60_000;
const [shortestCaMs, longestCaMs] = [7 * 86_400_000, 365 * 86_400_000];

/** Issuer `tcld`: `tcld gen ca` and `tcld gen leaf`, in a temporary folder. A leaf has a key of its CA's type. */
export function createTcldIssuer(program: Program): Issuer {
  /** tcld would begin to log in without an API key, or look for a person's tokens; it sends neither anywhere here. */
  const env = { TEMPORAL_CLOUD_API_KEY: 'unused', AUTO_CONFIRM: 'true' };
  const generate = (what: string, args: readonly string[]) =>
    runIssuer(what, { program, args: ['generate-certificates', ...args], env });

  async function createCa(request: CaRequest): Promise<Issued> {
    refuseOtherNames(request.subject, ['commonName', 'organizationalUnit']);
    if (request.lifetimeMs <= shortestCaMs || request.lifetimeMs > longestCaMs)
      throw new RotationError('IssuerUnable', 'tcld makes CAs that live more than 7 and at most 365 days.');
    await assertSuitable(program, tcldProgram);
    return withTemporaryFolder(async (folder) => {
      const files = { certificate: join(folder, 'ca.pem'), key: join(folder, 'ca.key') };
      await generate('Making a CA', [
        'certificate-authority-certificate',
        `--organization=${generationName(request)}`,
        `--validity-period=${Math.floor(request.lifetimeMs / 1000)}s`,
        ...(request.algorithm === 'RSA-4096' ? ['--rsa-algorithm'] : []),
        `--ca-certificate-file=${files.certificate}`,
        `--ca-key-file=${files.key}`,
      ]);
      return issuedCa(await readMade('tcld', files), { ...request, now: new Date() });
    });
  }

  async function issueLeaf(ca: KeyPair, request: LeafRequest): Promise<Issued> {
    const { organization, organizationalUnit, commonName } = request.subject;
    if (organization === undefined) throw new RotationError('IssuerUnable', 'tcld makes no leaf without organization.');
    if ((request.dnsNames ?? []).length + (request.uris ?? []).length > 0)
      throw new RotationError('IssuerUnable', 'tcld puts no DNS names and no URIs of ours into a leaf.');
    const seconds = leafSeconds(ca.certificate, request.lifetimeMs, backdateMs);
    await assertSuitable(program, tcldProgram);
    return withTemporaryFolder(async (folder) => {
      const files = { certificate: join(folder, 'leaf.pem'), key: join(folder, 'leaf.key') };
      const signer = { certificate: join(folder, 'ca.pem'), key: join(folder, 'ca.key') };
      await writeForProgram(signer.certificate, ca.certificate.pem);
      await writeForProgram(signer.key, ca.key.reveal());
      await generate('Issuing a leaf', [
        'end-entity-certificate',
        `--organization=${organization}`,
        ...(organizationalUnit === undefined ? [] : [`--organization-unit=${organizationalUnit}`]),
        ...(commonName === undefined ? [] : [`--common-name=${commonName}`]),
        `--validity-period=${seconds}s`,
        `--ca-certificate-file=${signer.certificate}`,
        `--ca-key-file=${signer.key}`,
        `--certificate-file=${files.certificate}`,
        `--key-file=${files.key}`,
      ]);
      return issuedLeaf(await readMade('tcld', files), ca, { ...request, now: new Date() });
    });
  }

  return { createCa, issueLeaf };
}

function refuseOtherNames(subject: Subject, names: readonly (keyof Subject)[]): void {
  const other = names.find((name) => subject[name] !== undefined);
  if (other) throw new RotationError('IssuerUnable', `tcld gives a CA an organization only, not ${other}.`);
}
