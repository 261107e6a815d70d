/** Inputs of the workflows come from people's hands, too: each is read once, at the door. A text is the problem it has. */
import { parseEmergency } from './emergency.js';
import type { CaRotationRequest, LeafRotationRequest, ScheduledLeafRotationRequest } from './rotation.js';

export function parseCaRequest(payload: unknown): CaRotationRequest | string {
  const { authority, who, emergency } = fieldsOf(payload);
  if (!isName(authority)) return 'give {"authority": "<name>"}';
  if (who !== undefined && !isPerson(who)) return '"who" must name the person who starts it';
  const declared = emergency === undefined ? undefined : parseEmergency(emergency);
  if (typeof declared === 'string') return `"emergency": ${declared}`;
  return { authority, ...(who !== undefined && { who }), ...(declared && { emergency: declared }) };
}

export function parseLeafRequest(payload: unknown): LeafRotationRequest | string {
  const { target, ca, onlyWhenDue, urgent } = fieldsOf(payload);
  if (!isName(target)) return 'give {"target": "<name>"}';
  if (ca !== undefined && !isName(ca)) return '"ca" must be the fingerprint of a CA';
  if (onlyWhenDue !== undefined && typeof onlyWhenDue !== 'boolean') return '"onlyWhenDue" must be true or false';
  if (urgent !== undefined && typeof urgent !== 'boolean') return '"urgent" must be true or false';
  return {
    target,
    ...(ca !== undefined && { ca }),
    ...(onlyWhenDue !== undefined && { onlyWhenDue }),
    ...(urgent !== undefined && { urgent }),
  };
}

/** Nothing at all means every target. */
export function parseScheduledRequest(payload: unknown): ScheduledLeafRotationRequest | string {
  if (payload !== undefined && !isObject(payload)) return 'give {} or {"targets": ["<name>"]}';
  const { targets } = fieldsOf(payload);
  if (targets === undefined) return {};
  if (!Array.isArray(targets) || !targets.every(isName)) return '"targets" must be a list of names';
  return { targets };
}

const fieldsOf = (payload: unknown): Readonly<Record<string, unknown>> => (isObject(payload) ? payload : {});

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const isPerson = (value: unknown): value is string =>
  typeof value === 'string' && value.length <= 200 && value.trim() !== '';

/** Of an authority, a target or a fingerprint; nothing that could be taken for an option or a path. */
const isName = (value: unknown): value is string =>
  typeof value === 'string' && value.length <= 200 && /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(value);
