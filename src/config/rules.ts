import { admits, type FilteredNames } from '../domain/filters.js';
import { longestWaitMs } from '../domain/windows.js';
import { approversCanDecide } from './approvers.js';
import { ownNamespaces } from './own-namespaces.js';
import type { Config, TargetConfig } from './schema.js';
import { windowRules } from './windows.js';

/** What the schema cannot say: relations between parts of the file. */
export interface BrokenRule {
  readonly path: readonly (string | number)[];
  readonly message: string;
  readonly fix: string;
}

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
  notifiersExist,
  renewalsFitCas,
  windowsFitLeaves,
  windowsFitCas,
  issuersCanMakeCas,
  issuersCanMakeLeaves,
];

function targetsHaveAuthorities({ targets, authorities }: Config): BrokenRule[] {
  return Object.entries(targets)
    .filter(([, target]) => !authorities[target.authority])
    .map(([name, target]) => ({
      path: ['targets', name, 'authority'],
      message: `there is no authority "${target.authority}"`,
      fix: chooseFrom(authorities, 'authorities'),
    }));
}

/** What to do about a name that is not there. */
function chooseFrom(known: Readonly<Record<string, unknown>>, section: string): string {
  const names = Object.keys(known).join(', ');
  return names ? `Use one of: ${names}; or describe it under ${section}` : `Describe it under ${section}`;
}

function authoritiesHaveNamespaces({ authorities, namespaces }: Config): BrokenRule[] {
  return Object.entries(authorities).flatMap(([name, authority]) =>
    authority.namespaces.flatMap((namespace, index) => {
      const path = ['authorities', name, 'namespaces', index];
      if (!namespaces[namespace]) {
        const message = `the namespace "${namespace}" is not described under namespaces`;
        return [{ path, message, fix: `Add it there: { ${namespace}: {} }` }];
      }
      return authority.namespaces.indexOf(namespace) < index
        ? [{ path, message: `the namespace "${namespace}" is there twice`, fix: 'Remove one of the two' }]
        : [];
    }),
  );
}

function taskQueuesHaveNamespaces({ targets, authorities }: Config): BrokenRule[] {
  return Object.entries(targets).flatMap(([name, { authority, taskQueues }]) => {
    const namespaces = authorities[authority]?.namespaces;
    if (!namespaces) return [];
    return taskQueues.flatMap((queue, index) =>
      namespaces.includes(queue.namespace)
        ? []
        : [
            {
              path: ['targets', name, 'taskQueues', index, 'namespace'],
              message: `the namespace "${queue.namespace}" does not trust authority "${authority}", which signs this leaf`,
              fix: `Use one of: ${namespaces.join(', ')}`,
            },
          ],
    );
  });
}

function oneTargetPerSecret({ targets }: Config): BrokenRule[] {
  const first = new Map<string, string>();
  return Object.entries(targets).flatMap(([name, { namespace, secret }]) => {
    const key = `${namespace}/${secret}`;
    const other = first.get(key);
    if (!other) first.set(key, name);
    return other
      ? [
          {
            path: ['targets', name, 'secret'],
            message: `target "${other}" holds the Secret ${key} already`,
            fix: `Give each target a Secret of its own, or remove target "${name}"`,
          },
        ]
      : [];
  });
}

function leavesDoNotOutliveTheirCa({ targets, authorities }: Config): BrokenRule[] {
  return Object.entries(targets)
    .filter(([, target]) => target.lifetime > (authorities[target.authority]?.lifetime ?? Infinity))
    .map(([name, target]) => ({
      path: ['targets', name, 'lifetime'],
      message: 'the leaf would outlive its CA',
      fix: `Make it shorter than authorities.${target.authority}.lifetime, ${days(authorities[target.authority]!.lifetime)}`,
    }));
}

/** Safety 4: three missed runs, a rollout and the time to be alarmed still leave a valid certificate. */
function leavesLiveLongEnough(config: Config): BrokenRule[] {
  const least = timeToRenew(config);
  return Object.entries(config.targets)
    .filter(([, target]) => target.lifetime < least)
    .map(([name]) => ({
      path: ['targets', name, 'lifetime'],
      message: `shorter than ${days(least)}: ${timeToRenewIs}`,
      fix: 'Make it longer (7d goes well with a daily schedule), or schedule.interval shorter',
    }));
}

const timeToRenew = ({ schedule, timing }: Config): number =>
  3 * schedule.interval + schedule.jitter + timing.rolloutDeadline + schedule.alertTime;

const timeToRenewIs = '3 × schedule.interval + schedule.jitter + timing.rolloutDeadline + schedule.alertTime';

/** A run that begins later than the next one should is none. */
function jitterFitsInterval({ schedule: { jitter, interval } }: Config): BrokenRule[] {
  if (jitter <= interval / 2) return [];
  const message = 'more than half of schedule.interval: runs would come at random';
  return [{ path: ['schedule', 'jitter'], message, fix: `Make it at most ${days(interval / 2)}` }];
}

/** A leaf that is renewed only when it is due must be due that early, for the same reason. */
function renewalsComeInTime(config: Config): BrokenRule[] {
  const least = timeToRenew(config);
  return Object.entries(config.targets).flatMap(([name, { renew, lifetime }]) => {
    if (renew === 'always') return [];
    const path = ['targets', name, 'renew', 'before'];
    if (renew.before >= lifetime) {
      const message = `not shorter than the lifetime of the leaf, ${days(lifetime)}: it would always be due`;
      return [{ path, message, fix: 'Make it shorter, or write renew: always' }];
    }
    const message = `shorter than ${days(least)}: ${timeToRenewIs}`;
    return renew.before < least
      ? [{ path, message, fix: `Make it at least ${days(least)}, or write renew: always` }]
      : [];
  });
}

function casLiveLongEnough({ authorities, targets, timing }: Config): BrokenRule[] {
  return Object.entries(authorities).flatMap(([name, authority]) => {
    const leaves = Object.values(targets).filter((target) => target.authority === name);
    const longest = Math.max(0, ...leaves.map((target) => target.lifetime));
    const least = longest + authority.approval.deadline + timing.watch;
    return authority.lifetime > least || authority.lifetime < longest
      ? []
      : [
          {
            path: ['authorities', name, 'lifetime'],
            message: `not longer than ${days(least)}: its longest leaf + approval.deadline + timing.watch`,
            fix: 'Make it longer, or the lifetime of its leaves or approval.deadline shorter',
          },
        ];
  });
}

function waitsCoverConnections({ timing }: Config): BrokenRule[] {
  const least = timing.connectionAge + timing.connectionAgeGrace;
  return (['soak', 'watch'] as const)
    .filter((wait) => timing[wait] < least)
    .map((wait) => ({
      path: ['timing', wait],
      message:
        'shorter than timing.connectionAge + timing.connectionAgeGrace: a connection of the old CA could still be open',
      fix: `Make it at least ${least / 1000}s`,
    }));
}

function proofsFitTheirDeadline({ timing: { proof } }: Config): BrokenRule[] {
  if (proof.over < proof.deadline) return [];
  const message = 'not shorter than timing.proof.deadline: the proof could never succeed';
  return [{ path: ['timing', 'proof', 'over'], message, fix: `Make it shorter than ${proof.deadline / 1000}s` }];
}

/** Every leaf that will be issued must match the wanted filters of every namespace that it is for. */
function filtersAdmitTargets(config: Config): BrokenRule[] {
  const { targets, namespaces } = config;
  return Object.entries(targets).flatMap(([name, target]) =>
    ownNamespaces(config, target)
      .filter((namespace) => !admits(namespaces[namespace]?.filters ?? [], leafOf(target)))
      .map((namespace) => ({
        path: ['targets', name, 'subject'],
        message: `no filter of namespace "${namespace}" matches this subject: the leaf would be refused`,
        fix: `Add a filter under namespaces.${namespace}.filters that matches it, or change the subject`,
      })),
  );
}

/**
 * Namespaces that trust one authority admit each other's leaves, unless their filters keep them apart: every leaf is tried against
 * every namespace (safety 5).
 */
function sharedAuthoritiesAreSplit({ authorities, targets, namespaces }: Config): BrokenRule[] {
  return Object.entries(authorities).flatMap(([name, authority]) => {
    const sharing = [...new Set(authority.namespaces)].filter((namespace) => namespaces[namespace]);
    if (authority.sharedTrust || sharing.length < 2) return [];
    const path = ['authorities', name, 'namespaces'];
    const leaves = Object.entries(targets).filter(([, target]) => target.authority === name);
    const aimless = leaves.find(([, { taskQueues }]) => taskQueues.length === 0);
    if (aimless) {
      const message = `one credential for all of them: which of them the leaf of target "${aimless[0]}" is for is not said`;
      return [{ path, message, fix: 'Give the target its taskQueues, or write sharedTrust: true if it is meant' }];
    }
    const strays = leaves.flatMap(([target, config]) =>
      sharing
        .filter((namespace) => !config.taskQueues.some((queue) => queue.namespace === namespace))
        .filter((namespace) => admits(namespaces[namespace]?.filters ?? [], leafOf(config)))
        .map((namespace) => `"${target}" by ${namespace}`),
    );
    if (strays.length === 0) return [];
    const message = `one credential for all of them: leaves would be admitted where they are not for, of target ${strays.join(', ')}`;
    return [
      {
        path,
        message,
        fix: 'Give each namespace filters that admit its own leaves only, or an authority of its own; or write sharedTrust: true if it is meant',
      },
    ];
  });
}

function clientsAreTargets({ authorities, targets }: Config): BrokenRule[] {
  return Object.entries(authorities).flatMap(([authority, { clients = [] }]) =>
    clients.flatMap(({ target }, index) => {
      if (target === undefined || targets[target]?.authority === authority) return [];
      const path = ['authorities', authority, 'clients', index, 'target'];
      const message = `no target "${target}" has a leaf of this authority`;
      return [{ path, message, fix: 'Name one that has, or attest this client' }];
    }),
  );
}

function notifiersExist({ notices, authorities, notifiers }: Config): BrokenRule[] {
  const named = [
    { path: ['notices', 'notify'], names: notices.notify ?? [] },
    ...Object.entries(authorities).map(([authority, { notify }]) => ({
      path: ['authorities', authority, 'notify'],
      names: notify ?? [],
    })),
  ];
  return named.flatMap(({ path, names }) =>
    names
      .filter((name) => !notifiers[name])
      .map((name) => ({
        path,
        message: `there is no notifier "${name}"`,
        fix: chooseFrom(notifiers, 'notifiers'),
      })),
  );
}

/** A rotation that starts by itself ends before its CA does, and its new CA is not due at once. */
function renewalsFitCas({ authorities, timing }: Config): BrokenRule[] {
  return Object.entries(authorities).flatMap(([name, { renewBefore, lifetime, approval }]) => {
    if (renewBefore === 'never') return [];
    const path = ['authorities', name, 'renewBefore'];
    const least = approval.deadline + timing.soak + timing.watch;
    if (renewBefore > lifetime / 2)
      return [{ path, message: 'more than half of the lifetime', fix: 'Make it shorter, or never' }];
    if (renewBefore <= least)
      return [
        {
          path,
          message: `not longer than ${days(least)}: approval.deadline + timing.soak + timing.watch`,
          fix: 'Make it longer, or never',
        },
      ];
    return [];
  });
}

/** A leaf whose restart waits for a window is renewed in time all the same. */
function windowsFitLeaves(config: Config): BrokenRule[] {
  const wait = longestWaitMs(windowRules(config, 'restarts'));
  const least = wait + timeToRenew(config);
  if (wait === 0) return [];
  return Object.entries(config.targets).flatMap(([name, { rollout, renew, lifetime }]) => {
    const [key, left] = renew === 'always' ? ['lifetime', lifetime] : ['renew', renew.before];
    if (rollout === 'none' || left >= least) return [];
    const message = `shorter than ${days(least)}: a restart may have to wait ${days(wait)} for one of windows.restarts, and a renewal needs ${days(least - wait)}`;
    return [{ path: ['targets', name, key], message, fix: 'Make it longer, or add windows and shorten the freeze' }];
  });
}

/** A rotation that starts by itself gets through its windows before its CA expires. */
function windowsFitCas(config: Config): BrokenRule[] {
  const wait = longestWaitMs(windowRules(config, 'restarts')) + longestWaitMs(windowRules(config, 'removals'));
  if (wait === 0) return [];
  const { soak, watch } = config.timing;
  return Object.entries(config.authorities).flatMap(([name, { renewBefore, approval }]) => {
    const least = wait + approval.deadline + soak + watch;
    if (renewBefore === 'never' || renewBefore > least) return [];
    const path = ['authorities', name, 'renewBefore'];
    const message = `not longer than ${days(least)}: it may wait ${days(wait)} for windows.restarts and windows.removals, then approval.deadline + timing.soak + timing.watch`;
    return [{ path, message, fix: 'Make it longer, or add windows and shorten the freeze' }];
  });
}

/** What tcld and certstrap cannot make (docs/issuers.md). */
function issuersCanMakeCas({ authorities }: Config): BrokenRule[] {
  return Object.entries(authorities).flatMap(([name, { issuer, subject, lifetime }]) => {
    const path = ['authorities', name];
    const file = subject.commonName ?? subject.organization ?? subject.organizationalUnit ?? '';
    if (issuer.kind === 'certstrap' && file.includes('/'))
      return [{ path: [...path, 'subject'], message: 'certstrap names files after it', fix: 'Write it without "/"' }];
    if (issuer.kind !== 'tcld') return [];
    const broken: BrokenRule[] = [];
    if (subject.organization === undefined || Object.keys(subject).length > 1) {
      const message = 'tcld gives a CA an organization only';
      broken.push({ path: [...path, 'subject'], message, fix: `Write { organization: ${file} }` });
    }
    if (lifetime <= 7 * dayMs || lifetime > 365 * dayMs) {
      const message = 'tcld makes CAs that live more than 7 and at most 365 days';
      broken.push({ path: [...path, 'lifetime'], message, fix: 'Make it 365d' });
    }
    return broken;
  });
}

function issuersCanMakeLeaves({ targets, authorities }: Config): BrokenRule[] {
  return Object.entries(targets).flatMap(([name, target]) => {
    const issuer = authorities[target.authority]?.issuer;
    const path = ['targets', name];
    const { subject, algorithm } = target;
    const broken: BrokenRule[] = [];
    const needed = issuer?.kind === 'tcld' ? 'organization' : issuer?.kind === 'certstrap' ? 'commonName' : undefined;
    if (needed && subject[needed] === undefined) {
      const message = `${issuer!.kind} makes no leaf without ${needed}`;
      broken.push({ path: [...path, 'subject'], message, fix: `Add ${needed}` });
    }
    if (issuer?.kind !== 'tcld') return broken;
    for (const key of ['dnsNames', 'uris'] as const) {
      const message = 'tcld puts names of its own into a leaf, and none of ours';
      if (target[key].length > 0)
        broken.push({ path: [...path, key], message, fix: 'Remove it, or use another issuer' });
    }
    if (algorithm !== issuer.algorithm) {
      const message = `tcld makes leaves with a key of their CA's type, ${issuer.algorithm}`;
      broken.push({ path: [...path, 'algorithm'], message, fix: `Write ${issuer.algorithm}` });
    }
    return broken;
  });
}

const dayMs = 86_400_000;

/** The names that filters will look at in the leaves of this target. */
export function leafOf({ subject, dnsNames, uris }: TargetConfig): FilteredNames {
  const list = (value: string | undefined) => (value === undefined ? [] : [value]);
  return {
    commonNames: list(subject.commonName),
    organizations: list(subject.organization),
    organizationalUnits: list(subject.organizationalUnit),
    subjectAlternativeNames: [...dnsNames, ...uris],
  };
}

const days = (ms: number): string => `${Math.ceil(ms / 8_640_000) / 10} days`;
