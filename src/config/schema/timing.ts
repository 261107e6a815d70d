import { z } from 'zod';
import { duration, positiveDuration } from '../fields.js';

export const timing = z
  .strictObject({
    connectionAge: positiveDuration.prefault('5m').describe("The server's maximum connection age."),
    connectionAgeGrace: duration.prefault('70s').describe('And its grace.'),
    secretPropagation: duration.prefault('60s').describe('From writing a Secret until every kubelet has seen it.'),
    rolloutDeadline: positiveDuration.prefault('10m'),
    pollDeadline: positiveDuration
      .prefault('2m')
      .describe('From the first new pod that is ready to its first poll; without one the rollout is put back at once.'),
    proof: z
      .strictObject({
        successes: z.int().min(2).max(1000).default(5),
        over: duration.prefault('10s'),
        deadline: positiveDuration.prefault('10m'),
      })
      .prefault({})
      .describe('Trust is proved by so many accepted probes in a row per endpoint, over at least so long.'),
    trustSoak: duration.prefault('0s').describe('After the proof of trust, before the first target moves.'),
    soak: positiveDuration
      .prefault('7m')
      .describe('After all targets moved, before asking for the removal: at least connectionAge + connectionAgeGrace.'),
    watch: positiveDuration.prefault('7m').describe('After the removal: at least connectionAge + connectionAgeGrace.'),
  })
  .prefault({})
  .describe('The waits of a rotation. The defaults are for Temporal Cloud.');
