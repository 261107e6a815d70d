import type { Client } from '@temporalio/client';
import { Authorities } from './activities/authorities.js';
import type { Dependencies } from './activities/index.js';
import { probeLeaf } from './activities/trust.js';
import { isExpired, short, type Fingerprint } from './domain/certificate.js';
import { RotationError } from './domain/failures.js';
import { clientAt } from './temporal/connect.js';

interface View {
  /** That signed the leaf which it presents. */
  readonly ca: Fingerprint;
  readonly client: Client;
  /** When the leaf is too old to go on with (milliseconds since the epoch). */
  readonly until: number;
  /** Who looks now: the connection of a view that is given up ends with the last of them. */
  looking: number;
  givenUp: boolean;
}

/** A leaf is made anew so long before it expires. */
const leewayMs = 600_000;

/**
 * Looks into namespaces that the worker's own connection does not reach: Temporal Cloud lets a connection into the one namespace
 * whose CA signed its leaf. Each is looked at over a connection of its own, with a leaf of its own authority that is made for this,
 * lives for hours and is never stored.
 */
export class NamespaceViews {
  readonly #deps: () => Dependencies;
  readonly #connectTo: typeof clientAt;
  /** The view of each namespace; undefined where there is none now. Whoever looks next waits until it is known. */
  readonly #views = new Map<string, Promise<View | undefined>>();

  /** @param deps asked for at each look: they come after what uses them */
  constructor(deps: () => Dependencies, connect = clientAt) {
    this.#deps = deps;
    this.#connectTo = connect;
  }

  /**
   * Undefined as long as the namespace trusts no CA of its authorities: nobody polls it then with a leaf of theirs. Throws
   * RotationError `NamespaceUnseen`, `TemporalUnreachable`, and what making the leaf throws.
   */
  async look<T>(namespace: string, work: (client: Client) => Promise<T>): Promise<T | undefined> {
    const view = await this.#then(namespace, async (known) => begun(await this.#renewed(namespace, known)));
    if (!view) return undefined;
    try {
      return await work(view.client);
    } catch (error) {
      // Its CA may have left meanwhile: the next look begins with a connection of its own.
      await this.#then(namespace, async (known) => (known === view ? giveUp(view) : known));
      throw error;
    } finally {
      view.looking -= 1;
      await endedIfUnused(view);
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#views.keys()].map((namespace) => this.#then(namespace, giveUp)));
  }

  /** One step after the other. One that failed leaves no view behind. */
  #then(namespace: string, step: (known: View | undefined) => Promise<View | undefined>): Promise<View | undefined> {
    const before = this.#views.get(namespace) ?? Promise.resolve(undefined);
    const next = before.catch(() => undefined).then(step);
    this.#views.set(namespace, next);
    return next;
  }

  async #renewed(namespace: string, known: View | undefined): Promise<View | undefined> {
    const fresh = known && this.#deps().now().getTime() < known.until ? known : undefined;
    if (fresh && (await this.#signs(namespace, fresh.ca))) return fresh;
    const signer = await this.#signer(namespace);
    if (fresh && signer?.ca === fresh.ca) return fresh;
    await giveUp(known);
    return signer && this.#connect(namespace, signer);
  }

  /** Then nothing better is to be had, and the namespace need not be read. */
  async #signs(namespace: string, ca: Fingerprint): Promise<boolean> {
    const records = await Promise.all(this.#authorities(namespace).map((name) => this.#record(name)));
    return records.some(({ signing, retiring }) => signing === ca && retiring !== ca);
  }

  /** The CA that signs where the namespace trusts it; else another one of its authority. */
  async #signer(namespace: string): Promise<{ readonly authority: string; readonly ca: Fingerprint } | undefined> {
    const { bundle } = await this.#deps().cloud.readNamespace(namespace);
    const now = this.#deps().now();
    const trusted = new Set(bundle.filter((ca) => !isExpired(ca, now)).map(({ fingerprint }) => fingerprint));
    for (const authority of this.#authorities(namespace)) {
      const { signing, next, current, retiring } = await this.#record(authority);
      const ca = [signing, next, current].find((one) => one && one !== retiring && trusted.has(one));
      if (ca) return { authority, ca };
    }
    return undefined;
  }

  async #connect(namespace: string, { authority, ca }: { authority: string; ca: Fingerprint }): Promise<View> {
    const deps = this.#deps();
    const [endpoint] = deps.endpoints(namespace);
    const leaf = await probeLeaf(deps, { authority, namespace }, ca);
    const client = await this.#connectTo(endpoint!, leaf).catch(refused(namespace, ca));
    return { ca, client, until: Date.parse(leaf.certificate.notAfter) - leewayMs, looking: 0, givenUp: false };
  }

  #record(authority: string) {
    return new Authorities(this.#deps()).record(authority);
  }

  #authorities(namespace: string): readonly string[] {
    const { authorities } = this.#deps().config;
    return Object.keys(authorities).filter((name) => authorities[name]!.namespaces.includes(namespace));
  }
}

/** Before anybody else can give it up. */
function begun(view: View | undefined): View | undefined {
  if (view) view.looking += 1;
  return view;
}

/** Nobody looks through it any more who does not already. */
async function giveUp(view: View | undefined): Promise<undefined> {
  if (!view) return;
  view.givenUp = true;
  await endedIfUnused(view);
}

async function endedIfUnused({ client, looking, givenUp }: View): Promise<void> {
  if (givenUp && looking === 0) await client.connection.close();
}

/** A CA that is trusted and not yet everywhere, or filters that match no target's leaf: unlike for the worker's own connection. */
function refused(namespace: string, ca: Fingerprint): (error: unknown) => never {
  return (error) => {
    if (!(error instanceof RotationError) || error.type !== 'TemporalRefused') throw error;
    throw new RotationError(
      'NamespaceUnseen',
      `${namespace} does not let in a leaf of CA ${short(ca)}, made to see who polls it: ${error.message}`,
    );
  };
}
