import { createHash } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import type { NamespaceTrust } from '../cloud/cloud.js';
import { ownNamespaces } from '../config/own-namespaces.js';
import { leafOf } from '../config/rules.js';
import { short, type CertificateFacts, type Fingerprint } from '../domain/certificate.js';
import { unknownClients } from '../domain/clients.js';
import { changedTrust, factLines, type Evidence } from '../domain/evidence.js';
import { RotationError } from '../domain/failures.js';
import { admits } from '../domain/filters.js';
import { isOfPod } from '../domain/pollers.js';
import { configuredQueue, otherConfigurations, presentedQueue, reportsOf, type ReportSeen } from '../domain/reports.js';
import type { HolderEvidence, Progress } from '../targets/target.js';
import { anchorsOf } from '../x509/chain.js';
import { signedBy } from '../x509/read.js';
import { Authorities } from './authorities.js';
import { clusterClock } from './cluster-clock.js';
import type { Dependencies } from './dependencies.js';
import { leavesIn } from './leaves.js';
import { neighboursOf } from './neighbours.js';
import { authorityConfig, targetConfig, targetsOf } from './plan.js';

export interface EvidenceRequest {
  readonly authority: string;
  readonly ca: Fingerprint;
  /** RFC 3339; every target had moved by then. Absent: a soak ago. */
  readonly quietSince?: string;
}

interface TargetEvidence {
  readonly target: string;
  /** In its Secret. */
  readonly leaf?: CertificateFacts;
  /** The CA of the authority that signed it. */
  readonly issuer: Fingerprint | undefined;
  /** It could not be looked at. */
  readonly unseen?: true;
  readonly lines: readonly string[];
  readonly missing: readonly string[];
  /** Names of the pods that use the target's leaf. */
  readonly holders: readonly string[];
}

/**
 * Reads from primary sources, now, whether every target of the authority is on the new CA: the certificate in its Secret,
 * signature verified, and the adoption of every pod. `confirm` shows it to people; the removal gathers it again itself.
 */
export async function gatherEvidence(deps: Dependencies, request: EvidenceRequest, work: Progress): Promise<Evidence> {
  return (await lookAround(deps, request, work)).evidence;
}

/** The same for people: with clients that were seen and belong to nobody known. */
export async function evidenceToShow(deps: Dependencies, request: EvidenceRequest, work: Progress): Promise<Evidence> {
  const { evidence, holders } = await lookAround(deps, request, work);
  work.report('looking for clients that do not poll');
  return { ...evidence, unknownClients: await soughtClients(deps, request.authority, holders) };
}

/** How what the namespaces trust now differs from the facts that people were shown. */
export async function compareTrust(
  deps: Dependencies,
  { authority, facts }: { readonly authority: string; readonly facts: readonly string[] },
): Promise<{ changes: readonly string[] }> {
  return { changes: changedTrust(facts, await namespacesOf(deps, authority)) };
}

function namespacesOf(deps: Dependencies, authority: string): Promise<readonly NamespaceTrust[]> {
  return Promise.all(authorityConfig(deps, authority).namespaces.map((name) => deps.cloud.readNamespace(name)));
}

async function lookAround(deps: Dependencies, request: EvidenceRequest, work: Progress) {
  const parts: TargetEvidence[] = [];
  for (const target of targetsOf(deps, request.authority)) {
    work.report(`looking at ${target}`);
    parts.push(await targetEvidence(deps, request, target, work));
  }
  const namespaces = await namespacesOf(deps, request.authority);
  const missing = [
    ...parts.flatMap((part) => part.missing),
    ...(await distrusting(deps, request, namespaces)),
    ...filteredOut(deps, parts, namespaces),
    ...(await sharing(deps, request, namespaces)),
    ...(await configuredOtherwise(deps, work)),
  ];
  const holders = parts.flatMap((part) => part.holders);
  const strangers = await unknownPollers(deps, request, parts);
  const names = [...strangers.keys()];
  const facts = factLines({
    namespaces,
    issuers: new Map(parts.filter(({ unseen }) => !unseen).map(({ target, issuer }) => [target, issuer])),
    unknownPollers: names,
    configDigest: deps.configDigest,
  });
  const evidence: Evidence = {
    complete: missing.length === 0,
    lines: parts.flatMap((part) => part.lines),
    missing,
    unknownPollers: names.map((poller) => `${poller}, last polled ${strangers.get(poller)}`),
    facts,
    digest: digestOf(facts),
    gatheredAt: deps.now().toISOString(),
    ...(request.quietSince && { quietSince: request.quietSince }),
  };
  return { evidence, holders };
}

/** Namespaces that somebody gave a bundle without the new CA since it was added, as Terraform does at its next apply. */
async function distrusting(
  deps: Dependencies,
  { authority, ca }: EvidenceRequest,
  namespaces: readonly NamespaceTrust[],
): Promise<readonly string[]> {
  const chain = await new Authorities(deps).chain(authority, ca);
  return namespaces
    .filter(({ bundle }) => !bundle.some(({ fingerprint }) => chain.includes(fingerprint)))
    .map(({ namespace }) => `${namespace}: it does not trust CA ${short(ca)} any more`);
}

/** Targets whose leaves, of now or to come, the filters of a namespace refuse: somebody put other ones there since. */
function filteredOut(
  { config }: Dependencies,
  parts: readonly TargetEvidence[],
  namespaces: readonly NamespaceTrust[],
): readonly string[] {
  return namespaces.flatMap(({ namespace, filters }) =>
    parts
      .filter(({ target, leaf }) => {
        const configured = config.targets[target]!;
        const leaves = [leafOf(configured), ...(leaf ? [leaf] : [])];
        return ownNamespaces(config, configured).includes(namespace) && !leaves.every((one) => admits(filters, one));
      })
      .map(({ target }) => `${namespace}: its filters refuse the leaf of ${target}`),
  );
}

/** Targets of other authorities whose leaves chain to what is to be removed: authorities may have a root in common. */
async function sharing(
  deps: Dependencies,
  { authority }: EvidenceRequest,
  namespaces: readonly NamespaceTrust[],
): Promise<readonly string[]> {
  const authorities = new Authorities(deps);
  const { current } = await authorities.record(authority);
  const leaving = current === undefined ? [] : await authorities.leavingWith(authority, current);
  const found = namespaces.map(async ({ namespace, bundle }) => {
    const leaves = await leavesIn(deps, neighboursOf(deps, authority, namespace));
    return leaves
      .filter((leaf) => anchorsOf(leaf, bundle).some((ca) => leaving.includes(ca)))
      .map(({ name }) => `${name}: its leaf chains to what is to be removed from ${namespace}`);
  });
  return (await Promise.all(found)).flat();
}

/**
 * Rotation workers that use another configuration (safety 34): whichever of them goes on would decide otherwise. A changed file
 * reaches one after the other, so they get some time to agree.
 */
async function configuredOtherwise(deps: Dependencies, work: Progress): Promise<readonly string[]> {
  const { temporal, timing } = deps.config;
  const queue = { namespace: deps.client().options.namespace, name: configuredQueue(temporal.taskQueue) };
  for (let waitedMs = 0; ; waitedMs += lookAgainMs) {
    const others = otherConfigurations(deps.configDigest, await deps.pollers(queue));
    if (others.length === 0 || waitedMs >= timing.proof.deadline) return others;
    work.report(others.join('; '));
    await wait(lookAgainMs, undefined, { signal: work.signal });
  }
}

const lookAgainMs = 1000;

/** The name of evidence: whoever approves says it, and the removal compares. */
export function digestOf(facts: readonly string[]): string {
  return createHash('sha256').update(facts.join('\n')).digest('hex');
}

/** One that cannot be looked at ends nothing (safety 39): that is missing evidence, once trying again for a while did not help. */
async function targetEvidence(
  deps: Dependencies,
  request: EvidenceRequest,
  target: string,
  work: Progress,
): Promise<TargetEvidence> {
  const until = performance.now() + deps.config.timing.proof.deadline;
  for (;;) {
    try {
      return await evidenceSeen(deps, request, target);
    } catch (error) {
      if (!(error instanceof RotationError)) throw error;
      const line = `${target}: could not be looked at: ${error.message.replace(/\.$/, '')}`;
      if (!error.retryable || performance.now() >= until)
        return { target, issuer: undefined, unseen: true, lines: [], holders: [], missing: [line] };
      work.report(line);
      await wait(lookAgainMs, undefined, { signal: work.signal });
    }
  }
}

async function evidenceSeen(
  deps: Dependencies,
  { authority, ca }: EvidenceRequest,
  target: string,
): Promise<TargetEvidence> {
  const current = (await deps.target(target).inspect()).current;
  const issuer = current && (await issuerOf(deps, authority, ca, current));
  const delivery = await deps.target(target).delivered();
  if (!current || issuer !== ca || delivery?.leaf !== current.fingerprint) {
    const missing = [`${target}: its Secret does not hold a leaf of the new CA`];
    return { target, ...(current && { leaf: current }), issuer, lines: [], holders: [], missing };
  }
  const adoption = await deps.target(target).adoption(delivery);
  const say = ({ name, evidence }: HolderEvidence) => `${target} ${name}: ${evidence}`;
  return {
    target,
    leaf: current,
    issuer,
    lines: adoption.holders.filter((holder) => holder.adopted).map(say),
    missing: adoption.adopted ? [] : nonEmpty(adoption.holders.filter((holder) => !holder.adopted).map(say), target),
    holders: adoption.holders.map((holder) => holder.name),
  };
}

/** Which CA of the authority signed it: the signature decides, never names. */
async function issuerOf(
  deps: Dependencies,
  authority: string,
  ca: Fingerprint,
  leaf: CertificateFacts,
): Promise<Fingerprint | undefined> {
  const authorities = new Authorities(deps);
  if (signedBy(leaf, await authorities.known(authority, ca))) return ca;
  const { current } = await authorities.record(authority);
  const old = current && (await authorities.certificate(authority, current));
  return old && signedBy(leaf, old) ? current : undefined;
}

/** A target that nobody uses is not adopted either. */
const nonEmpty = (missing: readonly string[], target: string): readonly string[] =>
  missing.length > 0 ? missing : [`${target}: no pod uses its Secret`];

/** Pollers seen during the soak, when nobody but the known pods should have polled, each with when it polled last. */
async function unknownPollers(
  deps: Dependencies,
  { authority, quietSince }: EvidenceRequest,
  parts: readonly TargetEvidence[],
): Promise<ReadonlyMap<string, string>> {
  const since = quietSince ? Date.parse(quietSince) : (await clusterClock(deps))().getTime() - deps.config.timing.soak;
  const queues = targetsOf(deps, authority).flatMap((target) => targetConfig(deps, target).taskQueues);
  const unknown = new Map<string, string>();
  const holders = parts.flatMap((part) => part.holders);
  const leaves = parts.flatMap(({ leaf }) => (leaf ? [leaf.fingerprint] : []));
  const isOfHolder = (identity: string) => holders.some((pod) => isOfPod(identity, pod));
  const see = (name: string, lastAccessTime: string): void => {
    if (Date.parse(lastAccessTime) <= since) return;
    const before = unknown.get(name) ?? lastAccessTime;
    unknown.set(name, before > lastAccessTime ? before : lastAccessTime);
  };
  for (const queue of queues)
    for (const { identity, lastAccessTime } of await deps.pollers(queue))
      if (!isOfHolder(identity)) see(`${identity} (${queue.name})`, lastAccessTime);
  for (const namespace of authorityConfig(deps, authority).namespaces)
    for (const { process, lastAccessTime } of await strangersReporting(deps, { authority, namespace, leaves }))
      if (!isOfHolder(process)) see(`${process} (${presentedQueue} in ${namespace})`, lastAccessTime);
  return unknown;
}

/** Processes that say of themselves that they present a leaf which no target holds; one without workers is seen by that alone. */
async function strangersReporting(
  deps: Dependencies,
  {
    authority,
    namespace,
    leaves,
  }: { readonly authority: string; readonly namespace: string; readonly leaves: readonly Fingerprint[] },
): Promise<readonly ReportSeen[]> {
  const reports = reportsOf(await deps.pollers({ namespace, name: presentedQueue })).filter(
    ({ value }) => !leaves.includes(value),
  );
  if (reports.length === 0) return [];
  const others = (await leavesIn(deps, neighboursOf(deps, authority, namespace))).map(({ certificate }) => certificate);
  const own = await deps.ownCertificate();
  const known = [...others, ...(own && (await isOfOthers(deps, authority, own)) ? [own] : [])];
  return reports.filter(({ value }) => !known.some(({ fingerprint }) => fingerprint === value));
}

/** What the removal of the authority's CA locks out is of its own CAs. */
async function isOfOthers(deps: Dependencies, authority: string, leaf: CertificateFacts): Promise<boolean> {
  const authorities = new Authorities(deps);
  const { current } = await authorities.record(authority);
  const old = current && (await authorities.certificate(authority, current));
  return !old || !signedBy(leaf, old);
}

/** Long enough for what comes once a day. */
const soughtSinceMs = 26 * 3_600_000;

/** Clients that do not poll, as far as histories show them, and neither hold a target's leaf nor are declared (safety 13). */
async function soughtClients(deps: Dependencies, authority: string, holders: readonly string[]) {
  const { namespaces, clients = [] } = authorityConfig(deps, authority);
  const since = new Date(deps.now().getTime() - soughtSinceMs);
  const queues = targetsOf(deps, authority).flatMap((target) => targetConfig(deps, target).taskQueues);
  const seen = await Promise.all(
    namespaces.map((namespace) => {
      const knownQueues = queues.flatMap((queue) => (queue.namespace === namespace ? [queue.name] : []));
      return deps.clients({ namespace, since, knownQueues });
    }),
  );
  return unknownClients(seen.flat(), { holders, declared: clients.flatMap(({ identities = [] }) => identities) });
}
