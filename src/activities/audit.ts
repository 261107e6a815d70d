import { sealed } from '../audit-journal.js';
import { firstOfChain, type RotationEnd, type RotationRecord } from '../domain/audit.js';
import { entries } from '../domain/ids.js';
import type { Cloud } from '../cloud/cloud.js';
import { trustFacts } from '../cloud/trust-facts.js';
import type { Target } from '../targets/target.js';
import { auditContext } from './audit-context.js';
import { Authorities, ownerOf } from './authorities.js';
import type { Dependencies } from './dependencies.js';

/** The same, with every change of a namespace or a target put on record where it is made. */
export function auditing(deps: Dependencies): Dependencies {
  const targets = (name: string) => auditedTarget(deps, name, deps.target(name));
  return { ...deps, cloud: auditedCloud(deps), target: targets };
}

function auditedCloud(deps: Dependencies): Cloud {
  const { cloud } = deps;
  return {
    identity: () => cloud.identity(),
    readNamespace: (namespace) => cloud.readNamespace(namespace),
    close: () => cloud.close(),
    async changeTrust(namespace, decide, options) {
      const change = await cloud.changeTrust(namespace, decide, options);
      const facts = trustFacts(namespace, change);
      if (facts) deps.audit({ ...facts, ...auditContext(deps) });
      return change;
    },
  };
}

function auditedTarget(deps: Dependencies, name: string, target: Target): Target {
  return {
    inspect: () => target.inspect(),
    read: () => target.read(),
    delivered: () => target.delivered(),
    rollOut: (delivery, progress) => target.rollOut(delivery, progress),
    adoption: (delivery) => target.adoption(delivery),
    async deliver(leaf) {
      // What cannot be read is written over all the same: only its name is missing on record.
      const before = (await target.read().catch(() => undefined))?.certificate.fingerprint;
      const delivery = await target.deliver(leaf);
      const after = leaf.certificate.fingerprint;
      if (before !== after)
        deps.audit({ event: 'leafDelivered', subject: `target/${name}`, before, after, ...auditContext(deps) });
      return delivery;
    },
  };
}

export function auditActivities(deps: Dependencies) {
  const authorities = new Authorities(deps);

  /** Beside the authority, before the workflow closes: Temporal keeps histories for weeks. Once per run. */
  async function recordRotation(end: RotationEnd): Promise<void> {
    const context = auditContext(deps);
    const name = entries.rotation(end.authority, context.runId ?? '');
    if (await deps.keystore.get(name)) return;
    const record: RotationRecord = sealed({
      version: 1 as const,
      ...end,
      ...context,
      endedAt: deps.now().toISOString(),
      cas: await authorities.record(end.authority),
      previous: (await authorities.records(end.authority)).at(-1)?.hash ?? firstOfChain,
    });
    await deps.keystore.create(name, { record, owner: ownerOf(end.authority) });
    deps.audit({
      event: 'rotationEnded',
      subject: `authority/${end.authority}`,
      after: { outcome: end.outcome, record: record.hash },
      ...(end.reason && { why: end.reason }),
      ...context,
    });
  }

  return { recordRotation };
}
