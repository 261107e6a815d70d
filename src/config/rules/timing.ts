import type { Config } from '../schema.js';
import { days, type BrokenRule } from './broken-rule.js';

/** A run that begins later than the next one should is none. */
export function jitterFitsInterval({ schedule: { jitter, interval } }: Config): BrokenRule[] {
  if (jitter <= interval / 2) return [];
  const message = 'more than half of schedule.interval: runs would come at random';
  return [{ path: ['schedule', 'jitter'], message, fix: `Make it at most ${days(interval / 2)}` }];
}

export function waitsCoverConnections({ timing }: Config): BrokenRule[] {
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

export function proofsFitTheirDeadline({ timing: { proof } }: Config): BrokenRule[] {
  if (proof.over < proof.deadline) return [];
  const message = 'not shorter than timing.proof.deadline: the proof could never succeed';
  return [{ path: ['timing', 'proof', 'over'], message, fix: `Make it shorter than ${proof.deadline / 1000}s` }];
}
