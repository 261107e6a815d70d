import { status } from '@grpc/grpc-js';
import { RotationError, type FailureType } from '../domain/failures.js';

/** An error answer of Temporal Cloud, before it is judged. `details` is the server's text. */
export interface CloudRpcError {
  readonly code: number;
  readonly details: string;
}

export function isRpcError(error: unknown): error is CloudRpcError {
  return typeof (error as Partial<CloudRpcError> | undefined)?.code === 'number';
}

export function isNothingToChange({ code, details }: CloudRpcError): boolean {
  return code === status.INVALID_ARGUMENT && details.includes('nothing to change');
}

/** Somebody else was faster: read again, decide again. The code for a stale version is not documented; these are the candidates. */
export function isLostRace({ code, details }: CloudRpcError): boolean {
  if (code === status.FAILED_PRECONDITION || code === status.ABORTED || code === status.ALREADY_EXISTS) return true;
  return code === status.INVALID_ARGUMENT && !details.includes('invalid ca') && details.includes('version');
}

/** Refused as it stands; when the namespace moved meanwhile, this may be how the server says that a race was lost. */
export function isRejected({ code }: CloudRpcError): boolean {
  return code === status.INVALID_ARGUMENT;
}

/** The request may have had its effect although no answer came: only a re-read tells. */
export function isLostAnswer({ code }: CloudRpcError): boolean {
  return [status.UNAVAILABLE, status.DEADLINE_EXCEEDED, status.UNKNOWN, status.INTERNAL, status.CANCELLED].includes(
    code,
  );
}

const types: Readonly<Record<number, FailureType>> = {
  [status.UNAUTHENTICATED]: 'CloudUnauthenticated',
  [status.PERMISSION_DENIED]: 'CloudForbidden',
  [status.NOT_FOUND]: 'CloudNotFound',
  [status.RESOURCE_EXHAUSTED]: 'CloudRateLimited',
  [status.FAILED_PRECONDITION]: 'CloudConflict',
  [status.ABORTED]: 'CloudConflict',
  [status.INVALID_ARGUMENT]: 'CloudRejectedBundle',
};

/**
 * The named failure for an error answer.
 * @param state what it leaves behind.
 */
export function cloudFailure(
  what: string,
  { code, details }: CloudRpcError,
  state = 'Nothing was changed.',
): RotationError {
  return new RotationError(
    types[code] ?? 'CloudUnavailable',
    `${what}: ${status[code] ?? code}: ${details.trim()}. ${state}`,
  );
}
