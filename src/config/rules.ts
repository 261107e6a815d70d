import { admits, type FilteredNames } from '../domain/filters.js';
import type { Config, TargetConfig } from './schema.js';

/** What the schema cannot say: relations between parts of the file. */
export interface BrokenRule {
  readonly path: readonly string[];
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
  casLiveLongEnough,
  waitsCoverConnections,
  filtersAdmitTargets,
  notifiersExist,
  renewalsFitCas,
];

function targetsHaveAuthorities({ targets, authorities }: Config): BrokenRule[] {
  return Object.entries(targets)
    .filter(([, target]) => !authorities[target.authority])
    .map(([name, target]) => ({
      path: ['targets', name, 'authority'],
      message: `there is no authority "${target.authority}"`,
      fix: `Use one of: ${Object.keys(authorities).join(', ') || 'none is defined'}`,
    }));
}

function authoritiesHaveNamespaces({ authorities, namespaces }: Config): BrokenRule[] {
  return Object.entries(authorities).flatMap(([name, authority]) =>
    authority.namespaces
      .filter((namespace) => !namespaces[namespace])
      .map((namespace) => ({
        path: ['authorities', name, 'namespaces'],
        message: `the namespace "${namespace}" is not described under namespaces`,
        fix: `Add "namespaces: { ${namespace}: {} }"`,
      })),
  );
}

function taskQueuesHaveNamespaces({ targets, authorities }: Config): BrokenRule[] {
  return Object.entries(targets).flatMap(([name, target]) =>
    target.taskQueues
      .filter(
        (queue) =>
          authorities[target.authority] && !authorities[target.authority]!.namespaces.includes(queue.namespace),
      )
      .map((queue) => ({
        path: ['targets', name, 'taskQueues'],
        message: `the namespace "${queue.namespace}" does not belong to authority "${target.authority}"`,
        fix: 'Name a namespace of the authority that signs this leaf',
      })),
  );
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
            fix: 'Give each target a Secret of its own',
          },
        ]
      : [];
  });
}

function leavesDoNotOutliveTheirCa({ targets, authorities }: Config): BrokenRule[] {
  return Object.entries(targets)
    .filter(([, target]) => target.lifetime > (authorities[target.authority]?.lifetime ?? Infinity))
    .map(([name]) => ({
      path: ['targets', name, 'lifetime'],
      message: 'the leaf would outlive its CA',
      fix: 'Make it shorter than the lifetime of its authority',
    }));
}

/** Safety 4: three missed runs, a rollout and the time to be alarmed still leave a valid certificate. */
function leavesLiveLongEnough({ targets, schedule, timing }: Config): BrokenRule[] {
  const least = 3 * schedule.interval + timing.rolloutDeadline + schedule.alertTime;
  return Object.entries(targets)
    .filter(([, target]) => target.lifetime < least)
    .map(([name]) => ({
      path: ['targets', name, 'lifetime'],
      message: `shorter than ${days(least)}: 3 × schedule.interval + timing.rolloutDeadline + schedule.alertTime`,
      fix: 'Make it longer (7d goes well with a daily schedule), or the interval shorter',
    }));
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
            fix: 'Make it longer, or its leaves shorter',
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

/** Every leaf that will be issued must match the wanted filters of every namespace of its authority. */
function filtersAdmitTargets({ targets, authorities, namespaces }: Config): BrokenRule[] {
  return Object.entries(targets).flatMap(([name, target]) =>
    (authorities[target.authority]?.namespaces ?? [])
      .filter((namespace) => !admits(namespaces[namespace]?.filters ?? [], leafOf(target)))
      .map((namespace) => ({
        path: ['targets', name, 'subject'],
        message: `no filter of namespace "${namespace}" matches this subject: the leaf would be refused`,
        fix: `Add a filter under namespaces.${namespace}.filters, or change the subject`,
      })),
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
        fix: `Use one of: ${Object.keys(notifiers).join(', ') || 'none is defined'}`,
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

function leafOf({ subject, dnsNames, uris }: TargetConfig): FilteredNames {
  const list = (value: string | undefined) => (value === undefined ? [] : [value]);
  return {
    commonNames: list(subject.commonName),
    organizations: list(subject.organization),
    organizationalUnits: list(subject.organizationalUnit),
    subjectAlternativeNames: [...dnsNames, ...uris],
  };
}

const days = (ms: number): string => `${Math.round(ms / 8_640_000) / 10} days`;
