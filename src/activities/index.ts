import type { Evidence } from '../domain/evidence.js';
import { abortActivities } from './abort.js';
import { approverActivities } from './approvers.js';
import { auditActivities, auditing } from './audit.js';
import { authorityActivities } from './authority.js';
import { compromisedActivities } from './compromised.js';
import type { Dependencies } from './dependencies.js';
import { compareTrust, evidenceToShow, type EvidenceRequest } from './evidence.js';
import { expiryActivities } from './expiry.js';
import { progress, reportingFailures } from './failures.js';
import { followActivities } from './follow.js';
import { leafActivities } from './leaf.js';
import { notifyActivities } from './notify.js';
import { planActivities } from './plan.js';
import { preflightActivities } from './preflight.js';
import { removalActivities } from './removal.js';
import { rememberedTrustActivities } from './remembered-trust.js';
import { restoreActivities } from './restore.js';
import { retiringActivities } from './retiring.js';
import { trustActivities } from './trust.js';
import { windowActivities } from './windows.js';

export type { Dependencies } from './dependencies.js';
export type { ExpiryTask } from './expiry.js';

/** Everything a rotation does to the world, one activity per thing that a person would do by hand. */
export function createActivities(dependencies: Dependencies) {
  const deps = auditing(dependencies);
  return reportingFailures({
    ...planActivities(deps),
    ...preflightActivities(deps),
    ...trustActivities(deps),
    ...leafActivities(deps),
    ...restoreActivities(deps),
    ...rememberedTrustActivities(deps),
    ...removalActivities(deps),
    ...followActivities(deps),
    ...notifyActivities(deps),
    ...expiryActivities(deps),
    ...authorityActivities(deps),
    ...retiringActivities(deps),
    ...windowActivities(deps),
    ...auditActivities(deps),
    ...approverActivities(deps),
    ...abortActivities(deps),
    ...compromisedActivities(deps),
    compareTrust: (request: Parameters<typeof compareTrust>[1]) => compareTrust(deps, request),
    gatherEvidence: (request: EvidenceRequest): Promise<Evidence> => evidenceToShow(deps, request, progress()),
  });
}

export type Activities = ReturnType<typeof createActivities>;
