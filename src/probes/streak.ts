import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { RotationError } from '../domain/failures.js';
import { isProved, noStreak, observe, type ProofNeed } from '../domain/proof.js';
import type { Progress } from '../targets/target.js';
import type { KeyPair } from '../x509/pair.js';
import type { Endpoint, Probe, ProbeResult } from './probe.js';

const pauseMs = 100;

interface Proof extends ProofNeed {
  readonly deadlineMs: number;
}

/**
 * Probes every resolved address of every endpoint over fresh connections until all accept in a row, long enough. At the
 * deadline throws ProbeRefused with the last reason, or ProbeUnreachable when nothing ever answered.
 */
export async function proveAccepted(
  probe: Probe,
  leaf: KeyPair,
  endpoints: readonly Endpoint[],
  proof: Proof,
  progress: Progress,
): Promise<void> {
  const addresses = await everyAddress(endpoints);
  const until = Date.now() + proof.deadlineMs;
  let streak = noStreak;
  for (;;) {
    const results = await Promise.all(addresses.map((endpoint) => probe.test(leaf, endpoint)));
    const failed = results.find((result) => result.outcome !== 'accepted');
    streak = observe(streak, !failed, Date.now());
    if (isProved(streak, proof, Date.now())) return;
    progress.report(failed ? `not admitted yet: ${describe(failed)}` : `admitted ${streak.successes} times in a row`);
    if (Date.now() >= until) throw refusal(failed, endpoints);
    await wait(pauseMs, undefined, { signal: progress.signal });
  }
}

/**
 * The negative probe: `leaf` is refused in the TLS handshake, so many times in a row on every address. A refusal of the
 * RPC does not count (a filter gives one, too), nor does silence. At the deadline throws OldCertificateAdmitted, or
 * ProbeUnreachable when nothing was admitted and something did not answer.
 */
export async function proveRefused(
  probe: Probe,
  leaf: KeyPair,
  endpoints: readonly Endpoint[],
  { successes, deadlineMs }: { successes: number; deadlineMs: number },
  progress: Progress,
): Promise<void> {
  const addresses = await everyAddress(endpoints);
  const until = Date.now() + deadlineMs;
  let inARow = 0;
  while (inARow < successes) {
    const results = await Promise.all(addresses.map((endpoint) => probe.test(leaf, endpoint)));
    const refused = results.every(isTlsRefusal);
    inARow = refused ? inARow + 1 : 0;
    progress.report(`refused ${inARow} times in a row`);
    if (!refused && Date.now() >= until) throw notRefused(results, endpoints);
    await wait(pauseMs, undefined, { signal: progress.signal });
  }
}

/** One endpoint per resolved address, the TLS server name kept. A name that does not resolve stays for the probe to report. */
async function everyAddress(endpoints: readonly Endpoint[]): Promise<readonly Endpoint[]> {
  const expanded = await Promise.all(
    endpoints.map(async (endpoint) => {
      const colon = endpoint.address.lastIndexOf(':');
      const [host, port] = [endpoint.address.slice(0, colon), endpoint.address.slice(colon + 1)];
      if (isIP(host)) return [endpoint];
      const found = await lookup(host, { all: true }).catch(() => []);
      return found.length === 0
        ? [endpoint]
        : found.map(({ address, family }) => ({
            ...endpoint,
            address: family === 6 ? `[${address}]:${port}` : `${address}:${port}`,
            serverName: endpoint.serverName ?? host,
          }));
    }),
  );
  // Of no address everything would be true.
  if (expanded.flat().length === 0) throw new RotationError('ConfigurationInvalid', 'There is no endpoint to probe.');
  return expanded.flat();
}

const isTlsRefusal = (result: ProbeResult): boolean => result.outcome === 'refused' && result.layer === 'tls';

function describe(result: ProbeResult): string {
  if (result.outcome === 'accepted') return 'accepted';
  return result.outcome === 'refused' ? `refused (${result.layer}): ${result.reason}` : `unreachable: ${result.reason}`;
}

function refusal(failed: ProbeResult | undefined, endpoints: readonly Endpoint[]): RotationError {
  const where = endpoints.map(({ namespace, address }) => `${namespace} at ${address}`).join(', ');
  if (failed?.outcome === 'unreachable') return new RotationError('ProbeUnreachable', `${where}: ${failed.reason}.`);
  return new RotationError(
    'ProbeRefused',
    `${where}: ${failed ? describe(failed) : 'not admitted often enough in a row in time'}.`,
  );
}

function notRefused(results: readonly ProbeResult[], endpoints: readonly Endpoint[]): RotationError {
  const admitted = results.find((result) => result.outcome !== 'unreachable' && !isTlsRefusal(result));
  if (!admitted)
    return refusal(
      results.find(({ outcome }) => outcome === 'unreachable'),
      endpoints,
    );
  const message = `A leaf of the removed CA is not refused at TLS: ${describe(admitted)}.`;
  return new RotationError('OldCertificateAdmitted', message);
}
