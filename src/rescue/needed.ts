import type { Dependencies } from '../activities/index.js';
import { authorityConfig, targetsOf } from '../activities/plan.js';
import { short } from '../domain/certificate.js';
import { RotationError } from '../domain/failures.js';

/**
 * A rescue runs beside the Temporal whose ids are the locks: only where no target of the authority is let in any more, so that no
 * worker can be at it there. Throws RescueNotNeeded for one that is let in, or where an endpoint does not answer.
 */
export async function refuseUnlessLockedOut(deps: Dependencies, authority: string): Promise<void> {
  for (const target of targetsOf(deps, authority)) {
    const pair = await deps.target(target).read();
    if (!pair) continue;
    const endpoints = authorityConfig(deps, authority).namespaces.flatMap((name) => deps.endpoints(name));
    for (const endpoint of endpoints) {
      const result = await deps.probe.test(pair, endpoint);
      const leaf = `leaf ${short(pair.certificate.fingerprint)} of ${target}`;
      if (result.outcome === 'accepted')
        throw new RotationError('RescueNotNeeded', `${endpoint.address} admits the ${leaf}: its worker can connect.`);
      if (result.outcome === 'unreachable')
        throw new RotationError('ProbeUnreachable', `${endpoint.address} does not answer: ${result.reason}.`);
    }
  }
}
