import type { Dependencies } from './dependencies.js';
import { targetsIn } from './leaves.js';
import { targetConfig } from './plan.js';

/** Targets of other authorities that use the namespace: a CA, or a filter, may be what admits them, too. */
export function neighboursOf(deps: Dependencies, authority: string, namespace: string): readonly string[] {
  return targetsIn(deps, namespace).filter((name) => targetConfig(deps, name).authority !== authority);
}

/** Those of them that are well now, every pod proved to use its leaf: only they can fall off. */
export async function neighboursThere(
  deps: Dependencies,
  authority: string,
  namespace: string,
): Promise<readonly string[]> {
  const found = await Promise.all(
    neighboursOf(deps, authority, namespace).map(async (name) => ((await isThere(deps, name)) ? [name] : [])),
  );
  return found.flat();
}

async function isThere(deps: Dependencies, target: string): Promise<boolean> {
  const delivery = await deps.target(target).delivered();
  return delivery !== undefined && (await deps.target(target).adoption(delivery)).adopted;
}
