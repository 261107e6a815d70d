import type { KeyAlgorithm } from '../../issuers/issuer.js';

/** What every leaf of the benchmark is, whoever makes it. */
export const leafDays = 30;
export const leafLifetimeMs = leafDays * 86_400_000;

/** Algorithms of CA and leaf that are compared. */
export const algorithms = ['P-256', 'P-384', 'RSA-2048'] as const satisfies readonly KeyAlgorithm[];
export type ComparedAlgorithm = (typeof algorithms)[number];
