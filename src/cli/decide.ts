import { readFile } from 'node:fs/promises';
import type { Client } from '@temporalio/client';
import type { Command } from 'commander';
import type { LoadedConfig } from '../config/load.js';
import { parseDecision, signedText, unseenLines, type Decision, type SentDecision } from '../domain/approval.js';
import { short } from '../domain/certificate.js';
import { clientText } from '../domain/clients.js';
import { caRotationId } from '../domain/ids.js';
import { presentedCertificates } from '../temporal/connect.js';
import { tellIfKnown } from '../temporal/history.js';
import { anchorsOf } from '../x509/chain.js';
import { signText } from '../x509/detached-signature.js';
import { openPrivateKey, type PrivateKey } from '../x509/private-key.js';
import { answer, globalOptions, mustHave, print, withClient, withExamples, type GlobalOptions } from './context.js';
import { BadInput } from './exit.js';
import { removalAsked, type AskedRemoval } from './status-row.js';
import { sendUpdate } from './update.js';

interface DecideOptions {
  readonly who: string;
  readonly why: string;
  readonly evidence?: string;
  readonly signWith?: string;
}

export function addDecideCommands(program: Command): void {
  const approve = program
    .command('approve <authority>')
    .description('let the old CA be removed, on the evidence that it prints')
    .requiredOption('--who <who>', 'who decides; recorded as claimed, unless signed')
    .option('--why <why>', 'the reason, for the record', '')
    .option('--evidence <digest>', 'approve only what was shown under this digest, or its first 12 characters')
    .option('--sign-with <file>', 'private key (PEM) of whoever decides, where the configuration lists approvers')
    .action((authority: string, given: DecideOptions, self: Command) => decide(self, authority, 'approve', given));
  const reject = program
    .command('reject <authority>')
    .description('keep both CAs and end the rotation')
    .requiredOption('--who <who>', 'who decides; recorded as claimed')
    .option('--why <why>', 'the reason, for the record', '')
    .action((authority: string, given: DecideOptions, self: Command) => decide(self, authority, 'reject', given));
  const approving = 'approve temporal-booking --who ada --why "all workers moved"';
  withExamples(approve, approving, `${approving} --evidence 3f9a0c27b1de`, `${approving} --sign-with ~/.keys/ada.pem`);
  withExamples(reject, 'reject temporal-booking --who ada --why "a batch job still uses the old certificate"');
}

async function decide(
  command: Command,
  authority: string,
  decision: Decision['decision'],
  given: DecideOptions,
): Promise<void> {
  const parsed = parseDecision(given);
  if (typeof parsed === 'string') throw new BadInput(`not taken: ${parsed}`);
  const key = given.signWith === undefined ? undefined : await privateKey(given.signWith);
  const options = globalOptions(command);
  const workflowId = caRotationId(authority);
  await withClient(options, mustHave('authorities', authority), async (client, loaded) => {
    const asked = decision === 'approve' ? await askedToApprove(client, loaded, options, workflowId) : undefined;
    const approvers = asked?.plan.approval.approvers;
    if (approvers && !key)
      throw new BadInput(`not taken: only ${approvers.join(', ')} may approve, signed: --sign-with <private key>`);
    const { digest: evidence, gatheredAt } = asked?.evidence ?? {};
    const signature = evidence && key && signText(signedText(authority, { ...parsed, evidence, gatheredAt }), key);
    const sent = { ...(evidence && { evidence }), ...parsed, ...(signature && { signature }) };
    const update = { name: 'decideCaRemoval', sent: { decision, ...sent } };
    const { phase, decided } = await sendUpdate<Sent, Taken>(client, workflowId, update);
    const identity = approvers ? 'verified' : 'claimed';
    const taken = { workflowId, decision, ...sent, identity, accepted: true, decided, phase };
    const second = decided ? '' : '; a second person must approve';
    answer(options, taken, `${workflowId}: ${decision} of ${parsed.who} taken${second}`);
  });
}

async function privateKey(file: string): Promise<PrivateKey> {
  try {
    return openPrivateKey(await readFile(file, 'utf8'));
  } catch (error) {
    throw new BadInput(`${file} is no private key that can be used: ${(error as Error).message}`);
  }
}

/** Prints what is asked, read from the history alone. */
async function askedToApprove(
  client: Client,
  loaded: LoadedConfig,
  { output }: GlobalOptions,
  workflowId: string,
): Promise<AskedRemoval> {
  const told = await tellIfKnown(client, workflowId);
  if (told?.outcome !== 'running') throw new BadInput(`not taken: ${workflowId} is not running: nothing to decide`);
  const asked = removalAsked(told);
  if (!asked) throw new BadInput(`not taken: ${workflowId} does not ask for an approval now: cert-rotation status`);
  await refuseOwnLockOut(loaded, asked);
  if (output === 'text') evidenceLines(asked).forEach(print);
  return asked;
}

/** Whoever approves with a leaf of the CA that is to go would lock themselves out (safety 40). */
export async function refuseOwnLockOut(loaded: LoadedConfig, { old }: Pick<AskedRemoval, 'old'>): Promise<void> {
  const own = await presentedCertificates(loaded);
  if (!own || anchorsOf(own, [old]).length === 0) return;
  throw new BadInput(
    `not taken: the certificate of this very connection comes from CA ${short(old.fingerprint)}, which is to be removed. ` +
      'Take a new one first, here and wherever else it is used',
  );
}

export function evidenceLines({ evidence, plan }: Pick<AskedRemoval, 'evidence' | 'plan'>): readonly string[] {
  const { digest, lines, facts, unknownPollers, unknownClients = [] } = evidence;
  const strangers = [...unknownPollers, ...unknownClients.map(clientText)];
  const doubts = strangers.map((stranger) => `Belongs to nobody known, and may be locked out: ${stranger}`);
  return [
    ...lines,
    ...doubts,
    `Evidence ${digest}:`,
    ...facts.map((line) => `  ${line}`),
    ...unseenLines(plan.clients),
  ];
}

type Sent = SentDecision & Pick<Decision, 'decision'>;

interface Taken {
  readonly phase: string;
  readonly decided: boolean;
}
