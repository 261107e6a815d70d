import { short, type CertificateFacts, type Fingerprint } from './certificate.js';
import type { ExpiringCertificate } from './notification.js';

/**
 * Which certificates people are to be told of, because they reached a step before their end. A step is the time left at
 * which people are told, in milliseconds; that a certificate has expired is step 0, and always one. What was told already is
 * in domain/notices.ts.
 */
export type Step = number;

/** The parts of a certificate that its expiry is told by. */
export type Watched = Pick<CertificateFacts, 'fingerprint' | 'sha1' | 'subject' | 'notBefore' | 'notAfter' | 'isCa'>;

/** A certificate, seen somewhere. */
export interface Sighting {
  readonly certificate: Watched;
  readonly place: Place;
}

export type Place =
  | { readonly kind: 'bundle'; readonly namespace: string }
  | {
      readonly kind: 'authority';
      readonly authority: string;
      /** Leaves come from it; its successor, or its predecessor whose removal is outstanding, signs nothing. */
      readonly signing: boolean;
      /** Its rotation starts by itself with so much left (milliseconds). */
      readonly renewBefore: number | 'never';
    }
  | {
      readonly kind: 'leaf';
      readonly target: string;
      readonly authority: string;
      /** The schedule has renewed it before less than this is left (milliseconds). */
      readonly leastLeft: number;
    }
  /** Presented by the rotation worker: where that is a target's leaf, it is seen there, too. */
  | { readonly kind: 'worker' };

export interface Expiring {
  readonly certificate: Watched;
  readonly places: readonly Place[];
  readonly step: Step;
}

/**
 * The certificates that reached a step, the most urgent first; one that was seen in several places once, with all of them.
 * A step is left out where it would be told of every new certificate and so say nothing: in the first tenth of a
 * certificate's life, and for a leaf until the schedule that renews it is late.
 */
export function expiring(sightings: readonly Sighting[], at: readonly Step[], now: Date): readonly Expiring[] {
  return merged(sightings)
    .map((seen) => ({ ...seen, step: reached(seen, at, now) }))
    .filter((seen): seen is Expiring => seen.step !== undefined)
    .sort((a, b) => end(a) - end(b));
}

function merged(sightings: readonly Sighting[]): readonly Omit<Expiring, 'step'>[] {
  const byName = new Map<Fingerprint, { certificate: Watched; places: Place[] }>();
  for (const { certificate, place } of sightings) {
    const known = byName.get(certificate.fingerprint);
    if (known) known.places.push(place);
    else byName.set(certificate.fingerprint, { certificate, places: [place] });
  }
  return [...byName.values()];
}

function reached(seen: Omit<Expiring, 'step'>, at: readonly Step[], now: Date): Step | undefined {
  const life = end(seen) - Date.parse(seen.certificate.notBefore);
  const leastLeft = Math.min(...seen.places.map((place) => (place.kind === 'leaf' ? place.leastLeft : Infinity)));
  const steps = at.filter((step) => step <= 0.9 * life && step < leastLeft);
  const left = end(seen) - now.getTime();
  const urgent = Math.min(...[0, ...steps].filter((step) => left <= step));
  return urgent === Infinity ? undefined : urgent;
}

const end = ({ certificate }: Omit<Expiring, 'step'>): number => Date.parse(certificate.notAfter);

/**
 * The authorities whose rotation is to be started: the CA that signs has less left than `renewBefore`. Where the successor
 * signs already, only the removal of the old one is outstanding; that is for people to take up again, not for a clock.
 */
export function rotationsDue(sightings: readonly Sighting[], now: Date): readonly string[] {
  const due = sightings.flatMap(({ certificate, place }) =>
    place.kind === 'authority' &&
    place.signing &&
    place.renewBefore !== 'never' &&
    Date.parse(certificate.notAfter) - now.getTime() < place.renewBefore
      ? [place.authority]
      : [],
  );
  return [...new Set(due)];
}

/** The authorities that have to do with it; none for a CA, or a leaf, of somebody else. */
export function authoritiesOf({ places }: Pick<Expiring, 'places'>): readonly string[] {
  return [...new Set(places.flatMap((place) => ('authority' in place ? [place.authority] : [])))];
}

export interface ExpiryText {
  readonly title: string;
  readonly lines: readonly string[];
  readonly commands: readonly string[];
  readonly certificates: readonly ExpiringCertificate[];
}

/** One message about all of them. `all` is not empty. */
export function expiryText(all: readonly Expiring[], now: Date): ExpiryText {
  const [first] = all as readonly [Expiring];
  const title =
    all.length === 1
      ? `${nameOf(first)} ${when(first, now)}`
      : `${all.length} certificates expire; the first ${when(first, now)}`;
  return {
    title,
    lines: all.map((one) => `${nameOf(one)} ${when(one, now)} (${one.certificate.notAfter}); ${story(one, now)}.`),
    commands: [...new Set(all.flatMap((one) => one.places.flatMap((place) => commandFor(place, one, now))))],
    certificates: all.map(({ certificate: { fingerprint, sha1, subject, notAfter }, places }) => ({
      fingerprint,
      sha1,
      subject,
      notAfter,
      places: places.map(placeOf),
    })),
  };
}

function nameOf({ certificate }: Expiring): string {
  return `${certificate.isCa ? 'CA' : 'Leaf'} ${short(certificate.fingerprint)} (${certificate.subject})`;
}

function when(one: Expiring, now: Date): string {
  const left = end(one) - now.getTime();
  return left <= 0 ? `expired ${span(-left)} ago` : `expires in ${span(left)}`;
}

/** Never more than is left. */
function span(ms: number): string {
  const [day, hour] = [86_400_000, 3_600_000];
  if (ms >= 2 * day) return `${Math.floor(ms / day)} days`;
  if (ms >= 2 * hour) return `${Math.floor(ms / hour)} hours`;
  return ms >= hour ? '1 hour' : 'less than an hour';
}

function placeOf(place: Place): string {
  switch (place.kind) {
    case 'bundle':
      return `trusted by ${place.namespace}`;
    case 'authority':
      return `${place.signing ? 'signs' : 'does not sign'} for authority ${place.authority}`;
    case 'leaf':
      return `used by target ${place.target}`;
    case 'worker':
      return 'presented by the rotation worker, which Temporal refuses once it has expired';
  }
}

function story(one: Expiring, now: Date): string {
  const outlook = new Set(one.places.map((place) => outlookOf(place, one, now)).filter((line) => line !== undefined));
  if (authoritiesOf(one).length === 0)
    outlook.add('it belongs to no authority of this system: its owner has to renew it');
  return [...one.places.map(placeOf), ...outlook].join('; ');
}

/** What becomes of it if nobody does anything. */
function outlookOf(place: Place, one: Expiring, now: Date): string | undefined {
  if (place.kind === 'bundle' || place.kind === 'worker') return undefined;
  if (place.kind === 'leaf') return 'its schedule should have renewed it';
  if (!place.signing) return 'the rotation that replaces it has not ended';
  if (place.renewBefore === 'never') return 'nothing rotates it by itself';
  const starts = end(one) - place.renewBefore;
  return starts < now.getTime()
    ? 'its rotation is started now, if it does not run already'
    : `its rotation starts by itself on ${new Date(starts).toISOString().slice(0, 10)}`;
}

function commandFor(place: Place, one: Expiring, now: Date): readonly string[] {
  if (place.kind === 'bundle' || place.kind === 'worker') return [];
  if (place.kind === 'leaf') return [`cert-rotation rotate leaf ${place.target}`];
  const started = rotationsDue([{ certificate: one.certificate, place }], now).length > 0;
  return [started ? `cert-rotation status ${place.authority}` : `cert-rotation rotate ca ${place.authority}`];
}
