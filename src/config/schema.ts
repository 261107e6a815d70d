import { z } from 'zod';
import { notifierSchema } from '../notifiers/index.js';
import { name, temporalNamespace } from './fields.js';
import { authority } from './schema/authorities.js';
import { cloud } from './schema/cloud.js';
import { keystore } from './schema/keystore.js';
import { audit, notices } from './schema/notices.js';
import { schedule, windows } from './schema/schedules.js';
import { kubernetes, target } from './schema/targets.js';
import { namespace, probe, temporal } from './schema/temporal.js';
import { timing } from './schema/timing.js';

/**
 * The configuration file, as a schema. Durations are written `90s`, `15m`, `24h`, `365d` and become milliseconds on load.
 * Secrets are references, never values. What the schema cannot say (a leaf that outlives its CA, two targets on one
 * Secret) is checked in rules.ts. The descriptions are what editors show (examples/rotation.schema.json).
 */
export const configSchema = z.strictObject({
  version: z.literal(1),
  temporal,
  cloud,
  keystore,
  kubernetes: kubernetes.prefault({}),
  namespaces: z.record(temporalNamespace, namespace),
  authorities: z.record(name, authority),
  targets: z.record(name, target),
  probe,
  timing,
  schedule,
  windows,
  notices,
  notifiers: z.record(name, notifierSchema).default({}),
  audit,
});

export type Config = z.infer<typeof configSchema>;
export type NamespaceConfig = Config['namespaces'][string];
export type AuthorityConfig = Config['authorities'][string];
export type TargetConfig = Config['targets'][string];
export type Timing = Config['timing'];
export type { SecretReference } from './fields.js';
