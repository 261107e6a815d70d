// Writes docs/safety.md: each rule, and the tests that fail when it is broken, collected from the tests' own names.
// A test keeps a rule by being named `safety <rule>: <promise>`; a new rule needs a line here.
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const rules: Readonly<Record<number, string>> = {
  1: 'Certificates are encoded as Go and OpenSSL both demand: serials, strings, issuer byte for byte, key identifiers, signatures, times.',
  2: 'Names are unique along a chain, a leaf never outlives its CA, and every certificate has a new key.',
  3: 'A chain is verified as a TLS server does it; a root leaves a bundle only with or after the last CA that it issued.',
  4: 'Lifetimes leave room for missed runs, approvals and the watch; a configuration that does not is refused.',
  5: 'Namespaces that trust one authority admit each other’s leaves only where that is meant.',
  6: 'Keys rest encrypted; every entry has an owner or an expiry, and orphans are swept.',
  7: 'Keys on disk lie under one root that is swept; none stays in an annotation of a Secret.',
  8: 'No private key of a run is found anywhere but where it belongs; planted ones are.',
  9: 'A rotation succeeds when the old CA’s key is lost or was never held.',
  10: 'A retry is the same operation, a new decision another one; only a re-read proves the effect.',
  11: 'Filters that narrow wait for the removal; filters never refuse a leaf in use or to come.',
  12: 'One CA signs at a time; nothing of a retiring CA is issued, delivered or restored.',
  13: 'Clients that never poll are sought and declared; what cannot be seen is said, and doubt asks a person.',
  15: 'The undo needs neither Temporal nor the namespace: the API key alone restores what was trusted.',
  16: 'The previous pair goes back only if it passes a probe now; otherwise nothing is restarted and a person is called.',
  17: 'Secrets, stamps and replica counts are written without dropping one another or what others own.',
  18: 'A Secret that another controller makes is refused; whoever puts the old pair back is noticed before the removal, inside it and after.',
  19: 'A pod that may have been given the old Secret is never counted as adopted.',
  20: 'Nothing found is a failure; owners that are not known are named and block.',
  21: 'A rollout that cannot finish, or that would be the outage, is refused; nothing counts before a new pod polls.',
  22: 'The shipped RBAC and admission policy allow what the product does, and refuse what it must not do.',
  23: 'Who approves is recorded as claimed, or verified by a signature; a second person is another one, and never the starter.',
  24: 'Who may edit the configuration cannot send the API key elsewhere, run a program, or turn a name into an option.',
  25: 'The sandbox reaches nothing outside, and production refuses a sandbox.',
  26: 'Tools come from where they are told, with pinned checksums; production never searches.',
  27: 'Every change is on record where it is made, in a chain; a rotation that was cut short is found, told and resumed.',
  28: 'Downtime and failed calls are measured from the gateway’s events; planted ones are reported.',
  29: 'Fixed ids are the lock, whoever starts a rotation and under whatever id.',
  30: 'A bad, early, duplicate or contradictory message is shown and never stops a rotation.',
  31: 'Leaf rotations outlive their parent; one that runs already is waited for or skipped.',
  32: 'The previous pair is kept once, and goes back only where it works; otherwise a fresh leaf does.',
  33: 'The rotation worker changes its own certificate without a restart, and never scales itself away.',
  34: 'The configuration is reloaded whole or not at all; workers that use another one block.',
  35: 'Trust is proved by successes in a row on every endpoint; one refusal starts the count anew.',
  36: 'Looking costs no billed action and works without a live worker.',
  37: 'Actions are counted by one function, by Temporal’s own rules.',
  38: 'A field that tcld drops is restored and reported; nothing is written where that could not be seen.',
  39: 'A target that fails ends no CA rotation; an abort moves everybody back before the new CA goes.',
  40: 'An approval is bound to the evidence that was shown; evidence that changed voids it.',
  41: 'Nothing is removed that could not be put back.',
  43: 'In an emergency nothing goes back to the compromised CA, proofs are waited for and nothing else, and what is exposed is said.',
  44: 'A rotation ends the same wherever its worker is killed.',
  45: 'How a CA rotation ended stays on record beside its authority, before the workflow closes.',
};

const root = fileURLToPath(new URL('../', import.meta.url));

/** Rule number → `file: test name`, in the order of the files. */
export function testsByRule(): ReadonlyMap<number, readonly string[]> {
  const found = new Map<number, string[]>();
  const files = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.ts'),
  );
  for (const file of files.sort((a, b) => a.localeCompare(b))) {
    const text = readFileSync(join(root, 'test', file), 'utf8');
    for (const [, quote, numbers, name] of text.matchAll(
      /\b(?:it|describe)\(\s*(['"`])safety ([\d, ]+): ((?:(?!\1).)+)\1/gs,
    )) {
      for (const rule of numbers!.split(',').map(Number)) {
        const plain = quote === '`' ? name!.replaceAll(/\$\{[^}]*\}/g, '…') : name!;
        found.set(rule, [...(found.get(rule) ?? []), `${file.replaceAll('\\', '/')}: ${plain}`]);
      }
    }
  }
  return found;
}

export function safetyPage(): string {
  const tests = testsByRule();
  const sections = Object.entries(rules).map(([rule, promise]) => {
    const lines = (tests.get(Number(rule)) ?? []).map((test) => `- ${test.replace(/^([^:]+): /, '`$1` ')}`);
    return `## ${rule}. ${promise}\n\n${lines.join('\n')}\n`;
  });
  return [
    '# Safety rules and the tests that keep them\n',
    'Each rule has tests that fail when it is broken. This page is written by `npm run docs:safety` from the tests’ own names; a test',
    'fails when it is out of date, or when a rule has no test.\n',
    sections.join('\n'),
  ].join('\n');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(join(root, 'docs', 'safety.md'), safetyPage());
