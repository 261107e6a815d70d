import type { CaPlan } from './rotation.js';

type Parts = Pick<CaPlan, 'namespaces' | 'canaries' | 'alone' | 'others'>;

/** What a configuration that was changed during a CA rotation means for it: `namespace …` and `target …`, by name. */
export interface PlanChanges {
  /** To be trusted and moved before the old CA goes. */
  readonly added: readonly string[];
  /** May still be on the old CA, and nobody looks any more. */
  readonly gone: readonly string[];
}

/** @param begun what the rotation began with */
export function planChanges(begun: Parts, now: Parts): PlanChanges {
  const [had, has] = [partsOf(begun), partsOf(now)];
  return { added: has.filter((part) => !had.includes(part)), gone: had.filter((part) => !has.includes(part)) };
}

function partsOf({ namespaces, canaries, alone, others }: Parts): readonly string[] {
  const targets = [...canaries, ...alone, ...others];
  return [...namespaces.map((name) => `namespace ${name}`), ...targets.map((name) => `target ${name}`)];
}

/** Why the rotation does not go on, and what to do; undefined: nothing is missing. */
export function goneLine(authority: string, gone: readonly string[]): string | undefined {
  if (gone.length === 0) return undefined;
  return (
    `the configuration had ${gone.join(', ')} when this rotation began, and has not any more: what is on the old CA there would be ` +
    `shut out. Put it back and retry; or, where it is meant, abort with --keep-both and start the rotation of ${authority} again`
  );
}
