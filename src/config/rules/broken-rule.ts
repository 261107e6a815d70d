/** What the schema cannot say: relations between parts of the file. */
export interface BrokenRule {
  readonly path: readonly (string | number)[];
  readonly message: string;
  readonly fix: string;
}

/** A length of time as a rule names it: `3.5 days`, rounded up. */
export const days = (ms: number): string => `${Math.ceil(ms / 8_640_000) / 10} days`;
