/** Ids that are locks: one rotation at a time per authority and per target, whoever starts it (design, invariant 6). */
export const caRotationId = (authority: string): string => `ca/${authority}`;
export const leafRotationId = (target: string): string => `leaf/${target}`;
/** Schedules append their time to this; the workflow they start is only the parent of `leaf/<target>`. */
export const scheduledLeafRotationId = 'scheduled-leaf-rotation';
export const leafScheduleId = 'cert-rotation-leaf';
/** Any number of runs may look at once: what they tell is fenced by the record in the keystore, not by this id. */
export const expiryNoticesId = 'expiry-notices';
export const expiryScheduleId = 'cert-rotation-expiry';
export const defaultTaskQueue = 'cert-rotation';

/** Keystore entry names: lower-case, `.`-separated, valid as the tail of a Kubernetes Secret name. */
export const entries = {
  /** The authority's record: which CA is current, next, signing, retiring. Holds no key. */
  authority: (authority: string): string => `authority.${authority}`,
  /** One CA of an authority: certificate and key. */
  ca: (authority: string, fingerprint: string): string => `ca.${authority}.${fingerprint.slice(0, 16)}`,
  /** What a namespace trusted before the last removal of a CA of the authority. Holds no key. */
  trust: (authority: string, namespace: string): string => `trust.${authority}.${namespace}`,
  /** What the spec of a namespace had before the write `operation` of a program that may drop some of it. Holds no key. */
  spec: (namespace: string, operation: string): string => `spec.${namespace}.${operation}`,
  /** How the run `run` of a CA rotation ended (domain/audit.ts). Holds no key. */
  rotation: (authority: string, run: string): string => `rotation.${authority}.${run}`,
  /** Who rescues the authority now: a lock where fixed ids are none. Holds no key. */
  rescue: (authority: string): string => `rescue.${authority}`,
  /** What people were told of certificates that expire (domain/notices.ts). Holds no key. */
  notices: 'notices',
  /** A leaf on its way to a target. `rotation` is the run that issued it. */
  leaf: (target: string, rotation: string): string => `leaf.${target}.${rotation}`,
  /** A leaf made to restore the target, where the pair it used before works no more. */
  fresh: (target: string, rotation: string): string => `fresh.${target}.${rotation}`,
  /** The pair a target used before the rotation `rotation` wrote its Secret. Write-once. */
  previous: (target: string, rotation: string): string => `previous.${target}.${rotation}`,
};
