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
import type { Cloud, NamespaceTrust, WantedTrust } from '../cloud/cloud.js';
import { trustFacts, trustFound, wantedFacts } from '../cloud/trust-facts.js';
import type { Target } from '../targets/target.js';
import { tellIfKnown } from '../temporal/history.js';
import { Authorities, ownerOf } from './authorities.js';
import type { Dependencies } from './dependencies.js';
import { auditContext, foundOnRecord, onRecord } from './on-record.js';

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
      let [asked, begun] = [false, false];
      const deciding = async (current: NamespaceTrust): Promise<WantedTrust> => {
        const wanted = await decide(current);
        // Whoever wants it as it is only waits until nobody changes it.
        asked ||= wanted !== current;
        const begins = wantedFacts(namespace, current, wanted);
        // Decided again after a lost race, or for the second step of a cloud that takes two, it has begun already.
        if (begins && !begun) deps.audit({ ...begins, stage: 'begins', ...auditContext(deps) });
        begun ||= begins !== undefined;
        return wanted;
      };
      const change = await cloud.changeTrust(namespace, deciding, options);
      if (change.changed) deps.audit({ ...trustFacts(namespace, change), stage: 'done', ...auditContext(deps) });
      else if (asked) foundOnRecord(deps, trustFound(change.after));
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
