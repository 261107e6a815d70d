import type { Config } from '../schema.js';
import type { BrokenRule } from './broken-rule.js';

const dayMs = 86_400_000;

/** What tcld and certstrap cannot make (docs/issuers.md). */
export function issuersCanMakeCas({ authorities }: Config): BrokenRule[] {
  return Object.entries(authorities).flatMap(([name, { issuer, subject, lifetime }]) => {
    const path = ['authorities', name];
    const file = subject.commonName ?? subject.organization ?? subject.organizationalUnit ?? '';
    if (issuer.kind === 'certstrap' && file.includes('/'))
      return [{ path: [...path, 'subject'], message: 'certstrap names files after it', fix: 'Write it without "/"' }];
    if (issuer.kind !== 'tcld') return [];
    const broken: BrokenRule[] = [];
    if (subject.organization === undefined || Object.keys(subject).length > 1) {
      const message = 'tcld gives a CA an organization only';
      broken.push({ path: [...path, 'subject'], message, fix: `Write { organization: ${file} }` });
    }
    if (lifetime <= 7 * dayMs || lifetime > 365 * dayMs) {
      const message = 'tcld makes CAs that live more than 7 and at most 365 days';
      broken.push({ path: [...path, 'lifetime'], message, fix: 'Make it 365d' });
    }
    return broken;
  });
}

export function issuersCanMakeLeaves({ targets, authorities }: Config): BrokenRule[] {
  return Object.entries(targets).flatMap(([name, target]) => {
    const issuer = authorities[target.authority]?.issuer;
    const path = ['targets', name];
    const { subject, algorithm } = target;
    const broken: BrokenRule[] = [];
    const needed = issuer?.kind === 'tcld' ? 'organization' : issuer?.kind === 'certstrap' ? 'commonName' : undefined;
    if (needed && subject[needed] === undefined) {
      const message = `${issuer!.kind} makes no leaf without ${needed}`;
      broken.push({ path: [...path, 'subject'], message, fix: `Add ${needed}` });
    }
    if (issuer?.kind !== 'tcld') return broken;
    for (const key of ['dnsNames', 'uris'] as const) {
      const message = 'tcld puts names of its own into a leaf, and none of ours';
      if (target[key].length > 0)
        broken.push({ path: [...path, key], message, fix: 'Remove it, or use another issuer' });
    }
    if (algorithm !== issuer.algorithm) {
      const message = `tcld makes leaves with a key of their CA's type, ${issuer.algorithm}`;
      broken.push({ path: [...path, 'algorithm'], message, fix: `Write ${issuer.algorithm}` });
    }
    return broken;
  });
}
