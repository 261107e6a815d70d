import { sealed } from '../audit-journal.js';
import {
  cutShort,
  firstOfChain,
  type AuditFacts,
  type Chained,
  type RotationEnd,
  type RotationRecord,
} from '../domain/audit.js';
import { caRotationId, entries } from '../domain/ids.js';
import type { CaRotationRequest } from '../domain/rotation.js';
import { auditedCloud } from '../cloud/audited.js';
import type { Target } from '../targets/target.js';
import { tellIfKnown } from '../temporal/history.js';
import { Authorities, ownerOf } from './authorities.js';
import type { Dependencies } from './dependencies.js';
import { auditContext, foundOnRecord, onRecord } from './on-record.js';

/** The same, with every change of a namespace or a target put on record where it is made. */
export function auditing(deps: Dependencies): Dependencies {
  const targets = (name: string) => auditedTarget(deps, name, deps.target(name));
  const record = (facts: AuditFacts) =>
    facts.stage === 'found' ? foundOnRecord(deps, facts) : deps.audit({ ...facts, ...auditContext(deps) });
  return { ...deps, cloud: auditedCloud(deps.cloud, record), target: targets };
}

function auditedTarget(deps: Dependencies, name: string, target: Target): Target {
  return {
    inspect: () => target.inspect(),
    read: () => target.read(),
    delivered: () => target.delivered(),
    async rollOut(delivery, progress) {
      let begun = false;
      const facts = { event: 'workloadsRestarted', subject: `target/${name}`, after: delivery.leaf } as const;
      const begins = () => {
        if (!begun) deps.audit({ ...facts, stage: 'begins', ...auditContext(deps) });
        begun = true;
      };
      await target.rollOut(delivery, progress, begins);
      if (begun) deps.audit({ ...facts, stage: 'done', ...auditContext(deps) });
      else if (deps.config.targets[name]?.rollout !== 'none') foundOnRecord(deps, facts);
    },
    adoption: (delivery) => target.adoption(delivery),
    async deliver(leaf) {
      // What cannot be read is written over all the same: only its name is missing on record.
      const before = (await target.read().catch(() => undefined))?.certificate.fingerprint;
      const after = leaf.certificate.fingerprint;
      const facts = { event: 'leafDelivered', subject: `target/${name}`, after } as const;
      if (before !== after) return onRecord(deps, { ...facts, before }, () => target.deliver(leaf));
      foundOnRecord(deps, facts);
      return target.deliver(leaf);
    },
  };
}

/** A run of a CA rotation. */
export interface RunCutShort {
  readonly authority: string;
  readonly runId: string;
}

export function auditActivities(deps: Dependencies) {
  const authorities = new Authorities(deps);

  /** Beside the authority, before the workflow closes: Temporal keeps histories for weeks. Once per run. */
  async function recordRotation(end: RotationEnd): Promise<void> {
    await write({ ...end, ...auditContext(deps), endedAt: deps.now().toISOString() });
  }

  /** The same of a run that could not do it: it was terminated or timed out. Nothing of one that Temporal knows no more. */
  async function recordCutShort({ authority, runId }: RunCutShort): Promise<void> {
    const workflowId = caRotationId(authority);
    const told = await tellIfKnown(deps.client(), workflowId, runId);
    const outcome = cutShort.find((one) => one === told?.outcome);
    if (!told || !outcome) return;
    const startedBy = (told.input as CaRotationRequest | undefined)?.who;
    await write({
      authority,
      startedAt: told.startedAt,
      ...(startedBy && { startedBy }),
      outcome,
      ...(told.failure && { reason: told.failure }),
      ...auditContext(deps),
      workflowId,
      runId,
      endedAt: told.at,
      recordedAt: deps.now().toISOString(),
    });
  }

  async function write(end: Omit<RotationRecord, 'version' | 'cas' | keyof Chained>): Promise<void> {
    const { authority, runId = '' } = end;
    const name = entries.rotation(authority, runId);
    const kept = await deps.keystore.get(name);
    if (kept) return foundOnRecord(deps, endFacts(kept.record as RotationRecord));
    const record: RotationRecord = sealed({
      version: 1 as const,
      ...end,
      cas: await authorities.record(authority),
      previous: (await authorities.records(authority)).at(-1)?.hash ?? firstOfChain,
    });
    const entry = { record, owner: ownerOf(authority) };
    await onRecord(deps, endFacts(record), () => deps.keystore.create(name, entry));
  }

  return { recordRotation, recordCutShort };
}

function endFacts({ authority, outcome, reason, hash }: RotationRecord): AuditFacts {
  return {
    event: 'rotationEnded',
    subject: `authority/${authority}`,
    after: { outcome, record: hash },
    ...(reason && { why: reason }),
  };
}
