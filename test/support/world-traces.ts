import type { KeyObject } from 'node:crypto';
import { Context } from '@temporalio/activity';
import type { World } from './fakes.js';
import type { Place } from './key-scan.js';

/** The keys that the issuer of a world made, and that its keystore and its targets held. */
export function keysOf({ old, issued, keystore, target, others }: World): readonly KeyObject[] {
  const targets = [target, ...others.values()];
  const held = targets.flatMap(({ pair, former }) => [...former.values(), ...(pair ? [pair] : [])]);
  const keys = [old, ...issued, ...held, ...keystore.stored].flatMap(({ key }) => (key ? [key] : []));
  return [...new Set(keys)].map((key) => key.keyObject());
}

/** What a rotation leaves behind in a world where no key may be: what was put on record, and what stands in its keystore beside keys. */
export function tracesOfWorld({ audited, keystore }: World): readonly Place[] {
  const place = (name: string, what: unknown): Place => ({ name, content: Buffer.from(JSON.stringify(what)) });
  return [
    ...audited.map((event) => place(`record of ${event.event}`, event)),
    ...keystore.stored.map(({ key: _key, ...entry }) => place(`entry ${entry.name}`, entry)),
  ];
}

/** The kinds of places that a rotation in a world leaves, by their names. */
export const worldTraces = [/^history of (ca|leaf)\//, /^heartbeat of /, /^record of /, /^entry /] as const;

/** Notes the heartbeats of the activity that runs now: what is in one is in no history. */
export function noteHeartbeats(heartbeats: Place[]): void {
  const context = Context.current();
  const { heartbeat, info } = context;
  const noted = (details: unknown): void => {
    const content = Buffer.from(JSON.stringify(details) ?? '');
    heartbeats.push({ name: `heartbeat of ${info.activityType}`, content });
    heartbeat(details);
  };
  Object.assign(context, { heartbeat: noted });
}
