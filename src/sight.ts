import type { Client } from '@temporalio/client';
import type { Dependencies } from './activities/index.js';
import { RotationError, type FailureType } from './domain/failures.js';
import type { NamespaceViews } from './namespace-views.js';
import { seekClients } from './temporal/clients.js';
import { pollersOf } from './temporal/pollers.js';

export interface SightOptions {
  /** The worker's own client: it reaches its own namespace. */
  readonly client: () => Client;
  /** Into the others; into every one where nobody of ours is let in (`lockedOut`), as in a rescue. */
  readonly views: Pick<NamespaceViews, 'look'>;
  readonly lockedOut?: boolean;
  /** Task queue of the rotations themselves. */
  readonly ownQueue: string;
}

/** What makes looking for clients impossible, and trying again useless: that is said instead. */
const hopeless: readonly FailureType[] = ['NamespaceUnseen', 'AuthorityKeyMissing'];

/** Who polls, and who else uses, any namespace of the configuration. */
export function sight({
  client,
  views,
  lockedOut = false,
  ownQueue,
}: SightOptions): Pick<Dependencies, 'pollers' | 'clients'> {
  async function look<T>(namespace: string, work: (seeing: Client) => Promise<readonly T[]>): Promise<readonly T[]> {
    const own = client();
    if (!lockedOut && own.options.namespace === namespace) return work(own);
    const seen = await views.look(namespace, work);
    if (seen) return seen;
    if (lockedOut) return [];
    throw new RotationError(
      'NamespaceUnseen',
      `${namespace} trusts no CA of its authorities: nobody can see who polls it.`,
    );
  }

  return {
    pollers: (taskQueue) => look(taskQueue.namespace, (seeing) => pollersOf(seeing, taskQueue)),
    async clients(seeking) {
      const { namespace } = seeking;
      try {
        return await look(namespace, (seeing) => seekClients(seeing, { ...seeking, ownQueue }));
      } catch (error) {
        if (!(error instanceof RotationError) || !hopeless.includes(error.type)) throw error;
        return [{ identity: 'anybody', namespace, does: `cannot be looked for: ${error.type}` }];
      }
    },
  };
}
