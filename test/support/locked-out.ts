import { isValidAt } from '../../src/domain/certificate.js';
import { admits } from '../../src/domain/filters.js';
import { anchorsOf } from '../../src/x509/chain.js';
import { booking, type World } from './fakes.js';

/** Pods that could not connect now: their leaf is not valid, or what the namespace trusts does not admit it. */
export function lockedOut({ target, cloud, deps }: World): readonly string[] {
  const { bundle, filters } = cloud.namespaces.get(booking)!;
  const now = deps.now();
  const trusted = bundle.filter((ca) => isValidAt(ca, now));
  return target.pods
    .filter(({ leaf }) => {
      const pair = target.pair?.certificate.fingerprint === leaf ? target.pair : target.former.get(leaf)!;
      const works = isValidAt(pair.certificate, now) && anchorsOf(pair, trusted).length > 0;
      return !works || !admits(filters, pair.certificate);
    })
    .map(({ name, leaf }) => `${now.toISOString()}: ${name} on ${leaf}`);
}

/** Every pod calls its namespace many times a second, until `stop`. */
export class Calls {
  made = 0;
  readonly failed: string[] = [];
  readonly #timer: NodeJS.Timeout;

  constructor(world: World) {
    this.#timer = setInterval(() => {
      this.made += world.target.pods.length;
      this.failed.push(...lockedOut(world));
    }, 25);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
