import { clientText } from './clients.js';
import type { Evidence } from './evidence.js';

/**
 * Decisions of people on the removal of an old CA. Anybody who may reach the namespace can send any name: who sends one is
 * whoever they claim to be, and the record says so. Where the configuration lists approvers, an approval counts only with
 * the signature of one of their keys (safety 23); a rejection, which removes nothing, needs none.
 */
export interface Decision {
  readonly decision: 'approve' | 'reject';
  readonly who: string;
  readonly why: string;
  /** `claimed`: as the sender says. `verified`: signed by the key of a listed approver. `policy`: the configuration decided. */
  readonly identity: 'claimed' | 'verified' | 'policy';
  /** When (RFC 3339): of two people, when the second one did. Absent in what earlier versions took, and where nobody was asked. */
  readonly at?: string;
  /** Digest of the evidence that it was made on; a rejection needs none. */
  readonly evidence?: string;
  /** When that was gathered (RFC 3339): a signature counts for this question alone. */
  readonly gatheredAt?: string;
  readonly signature?: string;
  /** Pollers of no known target that come after it void nothing: an emergency may say so. */
  readonly lockOutUnknown?: boolean;
  /** The second person, where the policy wants one. */
  readonly seconded?: { readonly who: string; readonly why: string; readonly signature?: string };
}

/**
 * What a person sends. `evidence`: the digest, or its first characters (at least 12), as shown with the question. Left out, it
 * is what the question shows, unless that changed since it was first asked.
 */
export interface SentDecision {
  readonly who: string;
  readonly why: string;
  readonly evidence?: string;
  /** Of `signedText`, base64. */
  readonly signature?: string;
}

export interface Signed {
  /** The whole digest. */
  readonly evidence: string;
  /** When it was gathered, as the question shows it: what was signed for the same evidence before counts no more. */
  readonly gatheredAt: string | undefined;
  readonly who: string;
  /** As it is sent. */
  readonly why: string;
}

/** What an approver signs, byte for byte. */
export function signedText(authority: string, { evidence, gatheredAt, who, why }: Signed): string {
  return JSON.stringify({ approve: authority, evidence, gatheredAt, who, why });
}

const shortestEvidence = 12;

/** Reads a decision from whatever a person sent. Returns the problem as text where it is not one. */
export function parseDecision(payload: unknown): SentDecision | string {
  if (typeof payload !== 'object' || payload === null) return 'send {"who": "...", "why": "...", "evidence": "..."}';
  const { who, why, evidence, signature } = payload as Record<string, unknown>;
  if (typeof who !== 'string' || who.trim() === '') return '"who" must name the person who decides';
  if (why !== undefined && typeof why !== 'string') return '"why" must be a text';
  if (evidence !== undefined && typeof evidence !== 'string') return '"evidence" must be the digest that was shown';
  if (signature !== undefined && typeof signature !== 'string') return '"signature" must be base64';
  return {
    who: who.trim(),
    why: (why ?? '').trim(),
    ...(evidence && { evidence: evidence.trim().toLowerCase() }),
    ...(signature && { signature: signature.trim() }),
  };
}

/** A question as it stands. */
export interface OpenQuestion {
  readonly authority: string;
  /** Digest of the evidence shown. */
  readonly evidence: string;
  readonly gatheredAt?: string | undefined;
  /** It was asked before, on other evidence: whoever does not name which may have seen the other. */
  readonly renewed: boolean;
  /** Two people must approve, neither of them whoever started the rotation. */
  readonly secondPerson: boolean;
  /** Absent: nobody did, but a schedule, the expiry watch or an emergency. */
  readonly startedBy?: string | undefined;
  /** Whose signature counts; absent: nobody's is asked for. */
  readonly approvers?: readonly string[] | undefined;
  /** Who approved so far. */
  readonly approved: readonly SentDecision[];
}

/** Why this approval does not count; undefined when it does. */
export function objectionToApproval(question: OpenQuestion, sent: SentDecision): string | undefined {
  const { evidence, renewed, secondPerson, startedBy, approvers, approved } = question;
  const shown = evidence.slice(0, shortestEvidence);
  if (!sent.evidence && renewed)
    return `the evidence changed, say what you approve: "evidence" must be the digest that is shown now, ${shown}…`;
  if (sent.evidence && (sent.evidence.length < shortestEvidence || !evidence.startsWith(sent.evidence)))
    return `it is for evidence ${sent.evidence.slice(0, shortestEvidence)}, but what is shown now is ${shown}: look again`;
  if (approvers && !approvers.includes(sent.who))
    return `${sent.who} is none of the approvers: ${approvers.join(', ')}`;
  if (approvers && !sent.signature)
    return `it is not signed: cert-rotation approve … --sign-with <private key of ${sent.who}>`;
  if (!secondPerson) return undefined;
  if (startedBy && samePerson(startedBy, sent.who)) return `${sent.who} started the rotation: others must approve`;
  if (approved.some(({ who }) => samePerson(who, sent.who))) return `${sent.who} has approved: a second person must`;
  return undefined;
}

/** Why nobody should start a rotation by hand like this: its removal could not be approved as the policy wants. */
export function objectionToStart(
  { secondPerson, approvers = [] }: { readonly secondPerson: boolean; readonly approvers?: readonly string[] },
  who: string | undefined,
): string | undefined {
  if (!secondPerson) return undefined;
  if (who === undefined) return 'two people must approve, neither of them whoever starts it: say --who';
  const others = approvers.filter((approver) => !samePerson(approver, who));
  return others.length < 2
    ? `${who} may not approve what they start, and without them there are no two approvers: somebody else must start it`
    : undefined;
}

function samePerson(one: string, other: string): boolean {
  const plain = (name: string) => name.trim().toLowerCase();
  return plain(one) === plain(other);
}

/** The approval once enough people gave it. */
export function approvalOf({
  evidence,
  gatheredAt,
  secondPerson,
  approvers,
  approved,
}: OpenQuestion): Decision | undefined {
  const [first, second] = approved.map(({ who, why, signature }) => ({ who, why, ...(approvers && { signature }) }));
  if (!first || (secondPerson && !second)) return undefined;
  const seconded = secondPerson && second;
  const identity = approvers ? 'verified' : 'claimed';
  return {
    decision: 'approve',
    ...first,
    identity,
    evidence,
    ...(gatheredAt && { gatheredAt }),
    ...(seconded && { seconded }),
  };
}

/** Why an automatic removal asks a person instead (safety 13); empty: nothing is in doubt. */
export function doubtsOf(
  { unknownPollers, unknownClients = [] }: Pick<Evidence, 'unknownPollers' | 'unknownClients'>,
  clients: readonly string[] | undefined,
  incidents: readonly string[],
): readonly string[] {
  return [
    ...unknownPollers.map((poller) => `${poller} belongs to no known target`),
    ...unknownClients.map((client) => `${clientText(client)} belongs to nobody known`),
    ...(clients ? [] : ['the configuration declares no clients that never poll']),
    ...incidents,
  ];
}

/** What nobody can see, and what the configuration says of it: for the person who decides (safety 13). */
export function unseenLines(clients: readonly string[] | undefined): readonly string[] {
  return [
    'Cannot be seen: clients that never poll, such as backends that start workflows, CI, CronJobs and people with the CLI.',
    ...(clients ?? ['The configuration declares none of them: whoever still has a leaf of the old CA is locked out.']),
  ];
}

/** Until when a decision must come (milliseconds since the epoch): an expired CA could not be put back by the watch. */
export function decideBy(
  { deadlineMs, watchMs }: { readonly deadlineMs: number; readonly watchMs: number },
  oldNotAfter: string,
  now: number,
): number {
  const expires = Date.parse(oldNotAfter);
  return expires <= now ? now + deadlineMs : Math.min(now + deadlineMs, expires - watchMs);
}
