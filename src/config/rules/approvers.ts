import { publicKeyId } from '../../x509/detached-signature.js';
import { removalsMs } from '../rotation-time.js';
import type { Config } from '../schema.js';
import { days, type BrokenRule } from './broken-rule.js';

/** Every key can be read, no two people share one, and a second person can be told from the first where one is wanted. */
export function approversCanDecide({ authorities }: Config): BrokenRule[] {
  return Object.entries(authorities).flatMap(([authority, { approval }]) => {
    const { approvers, secondPerson } = approval;
    if (!approvers) return secondPerson ? [unverified(authority)] : [];
    const path = ['authorities', authority, 'approval', 'approvers'];
    const people = Object.entries(approvers).map(([who, { publicKey }]) => ({ who, id: publicKeyId(publicKey) }));
    const unreadable = people
      .filter(({ id }) => id === undefined)
      .map(({ who }) => ({
        path: [...path, who, 'publicKey'],
        message: 'no public key that can be read',
        fix: 'Give what `openssl pkey -in <private key> -pubout` prints',
      }));
    const shared = people.flatMap(({ who, id }, index) => {
      const other = people.slice(0, index).find((one) => id !== undefined && one.id === id);
      const message = `the key of ${other?.who}, too: either could approve as the other`;
      return other ? [{ path: [...path, who, 'publicKey'], message, fix: 'Give everybody a key of their own' }] : [];
    });
    const alone =
      secondPerson && people.length < 2
        ? [{ path, message: 'secondPerson wants two approvers', fix: 'List another one, or leave secondPerson out' }]
        : [];
    return [...unreadable, ...shared, ...alone];
  });
}

/** Without keys one person can send two names (safety 23). */
function unverified(authority: string): BrokenRule {
  return {
    path: ['authorities', authority, 'approval', 'secondPerson'],
    message: 'without approvers nobody can tell two people from one with two names',
    fix: 'List approval.approvers with the public key of each, or leave secondPerson out',
  };
}

/** An approval that is void before its removal may begin would be asked for again and again. */
export function approvalsLastUntilTheRemoval(config: Config): BrokenRule[] {
  return Object.entries(config.authorities).flatMap(([authority, { approval }]) => {
    const least = removalsMs(config, authority);
    if (approval.validFor === undefined || approval.validFor >= least) return [];
    const path = ['authorities', authority, 'approval', 'validFor'];
    const message = `shorter than ${days(least)}, which the removals may take with windows.removals`;
    return [{ path, message, fix: 'Make it longer, or leave it out' }];
  });
}
