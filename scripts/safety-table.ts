// Writes docs/safety.md: each rule, and the tests that fail when it is broken, collected from the tests' own names.
// A test keeps a rule by being named `safety <rule>: <promise>`; a new rule needs a line here. The few that keep an invariant are named.
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
  14: 'Silent means long enough: connections have reached their age; the old CA is seen to be refused, at every endpoint, and a report of it counts.',
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
  34: 'The configuration is reloaded whole or not at all, and read anew before a removal; workers that use another one block.',
  35: 'Trust is proved by successes in a row on every endpoint; one refusal starts the count anew.',
  36: 'Looking costs no billed action and works without a live worker.',
  37: 'Actions are counted by one function, by Temporal’s own rules.',
  38: 'A field that tcld drops is restored and reported, by the next change if need be; nothing is written where that could not be seen.',
  39: 'A target that fails ends no CA rotation; an abort moves everybody back before the new CA goes.',
  40: 'An approval is bound to the evidence that was shown; evidence that changed voids it.',
  41: 'Nothing is removed that could not be put back.',
  42: 'When everything has expired the same workflows run by the API key alone, one rescue at a time, and hand over.',
  43: 'In an emergency nothing goes back to the compromised CA, proofs are waited for and nothing else, and what is exposed is said.',
  44: 'A rotation ends the same wherever its worker is killed.',
  45: 'How a CA rotation ended stays on record beside its authority, before the workflow closes.',
};

/** What must always hold, and tests that would fail first: each by its file and its whole name. */
export const invariants: readonly {
  readonly promise: string;
  readonly tests: readonly (readonly [string, string])[];
}[] = [
  {
    promise: 'No key leaves: private keys travel by reference, and are in no history, log, argument, message or file.',
    tests: [
      [
        'guarantees/rotation.test.ts',
        'safety 8: no key of the run is in a history, log, argument, environment, file, object or metric',
      ],
      ['support/key-scan.test.ts', 'safety 8: the key scan finds a planted key'],
      ['x509/private-key.test.ts', 'refuses to be serialised, printed, or to become a payload'],
    ],
  },
  {
    promise:
      'Trust before use: a leaf reaches a target only after calls with one of its CA succeeded, several in a row.',
    tests: [
      ['chaos/failures.test.ts', 'a namespace that refuses the new leaf: ProbeRefused, before anything used it'],
      [
        'probes/streak.test.ts',
        'safety 35: so many successes in a row; one refusal, or one silence, starts the count anew',
      ],
      [
        'chaos/cloud-faults.test.ts',
        'safety 35: a change that has its effect at the gateway long after its operation ended',
      ],
    ],
  },
  {
    promise:
      'Use before distrust: an old CA goes only when every target is proved to be off it, and that was approved.',
    tests: [
      ['activities/removal-evidence.test.ts', 'safety 12: the last checks are made again inside the removal'],
      ['activities/removal-evidence.test.ts', 'safety 40: the removal happens only on the evidence that was approved'],
      [
        'guarantees/rotation.test.ts',
        'every worker connection is on a leaf of the new CA before the old CA is removed, and none is refused after',
      ],
    ],
  },
  {
    promise:
      'Never lock out: no change that leaves a leaf in use without its CA or its filter, whatever a server would say.',
    tests: [
      ['domain/bundle.test.ts', 'whatever the change of a bundle, it is planned or refused, and a plan'],
      ['contracts/cloud/refusals.ts', 'refusals of ours, whatever a server would say'],
      [
        'chaos/year.test.ts',
        'safety 4: at no moment has a pod a leaf that expired, or one of a CA that is not trusted',
      ],
    ],
  },
  {
    promise: 'Read, change, write, in one activity: nothing but bundle and filters changes, and nobody is overwritten.',
    tests: [
      ['contracts/cloud/changing.ts', 'spec fields that nobody here knows survive, byte for byte'],
      ['contracts/cloud/races.ts', 'the version that was decided on guards the write'],
      [
        'chaos/cloud-faults.test.ts',
        'a lost race: what somebody else changed meanwhile stays, and the removal is approved anew',
      ],
    ],
  },
  {
    promise: 'One change at a time, for each authority and each target, whoever starts it.',
    tests: [
      [
        'workflows/locks.test.ts',
        'safety 29: two CA rotations under random ids, with the plain one-line input, are one rotation',
      ],
      [
        'workflows/locks.test.ts',
        'safety 31: a leaf rotation that runs already is waited for, and then the target moves onto the new CA',
      ],
    ],
  },
  {
    promise:
      'Crash anywhere, resume: killed, terminated or reset at any place, it ends the same, and nobody restarts twice.',
    tests: [
      [
        'chaos/kill-anywhere.test.ts',
        'safety 44: the worker is killed at any place, and the rotation ends as if nothing had happened',
      ],
      [
        'chaos/kill-process.test.ts',
        'safety 44: the real worker is killed (SIGKILL) at every place, and the rotation ends as if nothing had happened',
      ],
      ['chaos/start-over.test.ts', 'safety 44: a CA rotation that a person terminates or resets ends as if nobody had'],
      [
        'chaos/kubernetes-faults.test.ts',
        'safety 44: a fault at any call of the Kubernetes API is retried, and nobody is restarted twice',
      ],
    ],
  },
  {
    promise:
      'Undo: before the removal every failure leaves everybody on what works; after it the old CA goes back by itself.',
    tests: [
      ['workflows/leaf-rotation.test.ts', 'a failure after the update puts a pair that works back, and says so'],
      ['activities/removal-undo.test.ts', 'when somebody falls off, exactly what was trusted before is trusted again'],
      ['chaos/undo.test.ts', 'the removal locks out the rotation worker itself, and the old CA returns'],
    ],
  },
  {
    promise: 'Visible: phase, what it waits for, what is proved and what to do next; a failure says what happened.',
    tests: [
      [
        'workflows/visibility.test.ts',
        'the current details name the phase, what it waits for, what a person can do, and what is proved',
      ],
      ['cli/status.test.ts', 'says what it waits for, what to do next, and that no worker answers'],
      [
        'chaos/failures.test.ts',
        'a rotation that cannot go on says why, and leaves every target on the certificate that works',
      ],
    ],
  },
];

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

/** Those named above that are not there: renamed, moved or gone. */
export function missingTests(): readonly string[] {
  const isThere = ([file, name]: readonly [string, string]) =>
    new RegExp(`\\b(it|describe)\\(\\s*(['"\`])${escaped(name)}\\2`).test(
      readFileSync(join(root, 'test', file), 'utf8'),
    );
  return invariants.flatMap(({ tests }) => tests.filter((test) => !isThere(test)).map((test) => test.join(': ')));
}

const escaped = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');

function invariantsTable(): string {
  const rows = invariants.map(({ promise, tests }, index) => {
    const cell = tests.map(([file, name]) => `\`${file}\` ${name.replace(/^safety [\d, ]+: /, '')}`).join('<br>');
    return `| ${index + 1} | ${promise} | ${cell} |`;
  });
  return ['| | invariant | tests that would fail |', '|---|---|---|', ...rows, ''].join('\n');
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
    '## What always holds\n',
    invariantsTable(),
    sections.join('\n'),
  ].join('\n');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(join(root, 'docs', 'safety.md'), safetyPage());
