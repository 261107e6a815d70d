import { approvalsLastUntilTheRemoval, approversCanDecide } from './rules/approvers.js';
import type { BrokenRule } from './rules/broken-rule.js';
import { filtersAdmitTargets, sharedAuthoritiesAreSplit } from './rules/filters.js';
import { issuersCanMakeCas, issuersCanMakeLeaves } from './rules/issuers.js';
import {
  casLiveLongEnough,
  leavesDoNotOutliveTheirCa,
  leavesLiveLongEnough,
  renewalsComeInTime,
} from './rules/lifetimes.js';
import {
  authoritiesHaveNamespaces,
  clientsAreTargets,
  notifiersExist,
  oneTargetPerSecret,
  targetsHaveAuthorities,
  taskQueuesHaveNamespaces,
} from './rules/references.js';
import { renewalsFitCas } from './rules/renewals.js';
import { jitterFitsInterval, proofsFitTheirDeadline, waitsCoverConnections } from './rules/timing.js';
import { windowsFitLeaves } from './rules/windows.js';
import type { Config } from './schema.js';

export type { BrokenRule } from './rules/broken-rule.js';
export { leafOf } from './rules/filters.js';

type Rule = (config: Config) => readonly BrokenRule[];

/** All rules, all their breaches at once. */
export function checkRules(config: Config): readonly BrokenRule[] {
  return rules.flatMap((rule) => rule(config));
}

const rules: readonly Rule[] = [
  targetsHaveAuthorities,
  authoritiesHaveNamespaces,
  taskQueuesHaveNamespaces,
  oneTargetPerSecret,
  leavesDoNotOutliveTheirCa,
  leavesLiveLongEnough,
  renewalsComeInTime,
  jitterFitsInterval,
  casLiveLongEnough,
  waitsCoverConnections,
  proofsFitTheirDeadline,
  filtersAdmitTargets,
  sharedAuthoritiesAreSplit,
  clientsAreTargets,
  approversCanDecide,
  approvalsLastUntilTheRemoval,
  notifiersExist,
  renewalsFitCas,
  windowsFitLeaves,
  issuersCanMakeCas,
  issuersCanMakeLeaves,
];
