import type { Config } from '../schema.js';
import { days, type BrokenRule } from './broken-rule.js';

export function leavesDoNotOutliveTheirCa({ targets, authorities }: Config): BrokenRule[] {
  return Object.entries(targets)
    .filter(([, target]) => target.lifetime > (authorities[target.authority]?.lifetime ?? Infinity))
    .map(([name, target]) => ({
      path: ['targets', name, 'lifetime'],
      message: 'the leaf would outlive its CA',
      fix: `Make it shorter than authorities.${target.authority}.lifetime, ${days(authorities[target.authority]!.lifetime)}`,
    }));
}

/** Safety 4: three missed runs, a rollout and the time to be alarmed still leave a valid certificate. */
export function leavesLiveLongEnough(config: Config): BrokenRule[] {
  const least = timeToRenew(config);
  return Object.entries(config.targets)
    .filter(([, target]) => target.lifetime < least)
    .map(([name]) => ({
      path: ['targets', name, 'lifetime'],
      message: `shorter than ${days(least)}: ${timeToRenewIs}`,
      fix: 'Make it longer (7d goes well with a daily schedule), or schedule.interval shorter',
    }));
}

/** A leaf that is renewed only when it is due must be due that early, for the same reason. */
export function renewalsComeInTime(config: Config): BrokenRule[] {
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

/** With less than this left, a leaf that is to be renewed may expire first (milliseconds). */
export const timeToRenew = ({ schedule, timing }: Config): number =>
  3 * schedule.interval + schedule.jitter + timing.rolloutDeadline + schedule.alertTime;

const timeToRenewIs = '3 × schedule.interval + schedule.jitter + timing.rolloutDeadline + schedule.alertTime';

export function casLiveLongEnough({ authorities, targets, timing }: Config): BrokenRule[] {
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
