import type { AuditFacts } from '../domain/audit.js';
import type { Cloud, NamespaceTrust, WantedTrust } from './cloud.js';
import { trustFacts, trustFound, wantedFacts } from './trust-facts.js';

/** The same cloud, with each change of a namespace handed to `record` by its stage: before its first write, and once it is made or found. */
export function auditedCloud(cloud: Cloud, record: (facts: AuditFacts) => void): Cloud {
  return {
    identity: () => cloud.identity(),
    readNamespace: (namespace) => cloud.readNamespace(namespace),
    close: () => cloud.close(),
    async changeTrust(namespace, decide, options) {
      let [asked, begun] = [false, false];
      const deciding = async (current: NamespaceTrust): Promise<WantedTrust> => {
        const wanted = await decide(current);
        // Whoever wants it as it is only waits until nobody changes it.
        asked ||= wanted !== current;
        const begins = wantedFacts(namespace, current, wanted);
        // Decided again after a lost race, or for the second step of a cloud that takes two, it has begun already.
        if (begins && !begun) record({ ...begins, stage: 'begins' });
        begun ||= begins !== undefined;
        return wanted;
      };
      const change = await cloud.changeTrust(namespace, deciding, options);
      if (change.changed) record({ ...trustFacts(namespace, change), stage: 'done' });
      else if (asked) record({ ...trustFound(change.after), stage: 'found' });
      return change;
    },
  };
}
