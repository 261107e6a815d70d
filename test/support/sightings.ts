import { createHash } from 'node:crypto';
import type { Place, Sighting, Watched } from '../../src/domain/expiry.js';

export const day = 86_400_000;
export const steps = [60, 30, 14, 7, 3, 1].map((days) => days * day);
/** The end of every certificate below, unless said otherwise. */
export const theEnd = Date.parse('2027-06-01T00:00:00.000Z');

/** A year-old CA that ends at `theEnd`, named by `name`. */
export function aWatched(name: string, { lifeMs = 365 * day, endMs = theEnd, isCa = true } = {}): Watched {
  return {
    fingerprint: createHash('sha256').update(name).digest('hex'),
    sha1: createHash('sha1').update(name).digest('hex'),
    subject: `O=${name}`,
    notBefore: new Date(endMs - lifeMs).toISOString(),
    notAfter: new Date(endMs).toISOString(),
    isCa,
  };
}

export const inBundle = (certificate: Watched, namespace = 'orders.acct1'): Sighting => ({
  certificate,
  place: { kind: 'bundle', namespace },
});

export const ofAuthority = (
  certificate: Watched,
  fields: Partial<Extract<Place, { kind: 'authority' }>> = {},
): Sighting => ({
  certificate,
  place: { kind: 'authority', authority: 'orders', signing: true, renewBefore: 30 * day, ...fields },
});

export const ofTarget = (certificate: Watched, leastLeft: number): Sighting => ({
  certificate,
  place: { kind: 'leaf', target: 'orders-worker', authority: 'orders', leastLeft },
});

export const ofWorker = (certificate: Watched): Sighting => ({ certificate, place: { kind: 'worker' } });

/** So long before `theEnd`. */
export const before = (ms: number): Date => new Date(theEnd - ms);
