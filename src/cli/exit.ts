import { ConfigurationError } from '../config/load.js';
import { RotationError, type FailureType } from '../domain/failures.js';

/** Exit codes, for scripts. */
export const exitCodes = {
  done: 0,
  failed: 1,
  badInput: 2,
  keptBoth: 3,
  unreachable: 4,
  interrupted: 130,
} as const;

export const exitCodesHelp = `
Exit codes: 0 done, 1 failed, 2 bad input (nothing was started), 3 a person decided that nothing is removed
(both CAs stay trusted), 4 Temporal, or a worker that answers, cannot be reached, 130 Ctrl-C (what was started
goes on). A rotation that was aborted has failed.`;

/** Bad input found by a command itself. */
export class BadInput extends Error {}

/** A rotation does not take what it is told, or does not run. */
export class NotTaken extends BadInput {}

/** No worker answered in time. */
export class NoWorker extends Error {}

/** How a command tells that it did not do what was asked. */
export interface Refusal {
  readonly type: string;
  readonly message: string;
  /** What to do; empty where the message says it. */
  readonly fix: string;
  readonly exitCode: number;
}

const exitCodeOf: Partial<Record<FailureType, number>> = {
  UnknownAuthority: exitCodes.badInput,
  UnknownTarget: exitCodes.badInput,
  ConfigurationInvalid: exitCodes.badInput,
  NotGranted: exitCodes.badInput,
  ReferenceUnreadable: exitCodes.badInput,
  TemporalProfileInvalid: exitCodes.badInput,
  RescueNotNeeded: exitCodes.badInput,
  RescueRunning: exitCodes.badInput,
  AuthorityExists: exitCodes.badInput,
  ImportUnreadable: exitCodes.badInput,
  ImportKeyLocked: exitCodes.badInput,
  ImportKeyMismatch: exitCodes.badInput,
  ImportNotCa: exitCodes.badInput,
  ImportExpired: exitCodes.badInput,
  ImportMalformed: exitCodes.badInput,
  ImportTooWeak: exitCodes.badInput,
  ImportChainIncomplete: exitCodes.badInput,
  ImportNotAdmitted: exitCodes.badInput,
  TemporalUnreachable: exitCodes.unreachable,
  TemporalRefused: exitCodes.unreachable,
  TemporalNamespaceUnknown: exitCodes.unreachable,
};

/** The refusal for an error that ended a command; undefined for one that is a fault of this program. */
export function refusalOf(error: unknown): Refusal | undefined {
  if (error instanceof RotationError) {
    const exitCode = exitCodeOf[error.type] ?? exitCodes.failed;
    return { type: error.type, message: error.message, fix: error.fix, exitCode };
  }
  if (error instanceof ConfigurationError)
    return { type: 'ConfigurationInvalid', message: error.message, fix: '', exitCode: exitCodes.badInput };
  if (error instanceof BadInput)
    return { type: 'BadInput', message: error.message, fix: '', exitCode: exitCodes.badInput };
  if (error instanceof NoWorker)
    return { type: 'NoWorker', message: error.message, fix: '', exitCode: exitCodes.unreachable };
  return undefined;
}
