/** Exit codes, for scripts. */
export const exitCodes = {
  done: 0,
  failed: 1,
  badInput: 2,
  keptBoth: 3,
  unreachable: 4,
} as const;

export const exitCodesHelp = `
Exit codes: 0 done, 1 the rotation failed, 2 bad input (nothing was started), 3 the removal was rejected (both CAs stay
trusted), 4 Temporal cannot be reached.`;

/** Bad input found by a command itself. */
export class BadInput extends Error {}
