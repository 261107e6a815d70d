import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { brokenLink } from '../audit-journal.js';
import { loadConfig } from '../config/load.js';
import type { AuditEvent } from '../domain/audit.js';
import { rotationRecords } from '../keystore/rotation-records.js';
import { answer, configFile, globalOptions, mustHave, withExamples } from './context.js';
import { BadInput, exitCodes } from './exit.js';
import { openKeystore } from './keystore.js';
import { alignedColumns, atSecond } from './status-row.js';

export function addAuditCommands(program: Command): void {
  const audit = program
    .command('audit')
    .description('what was changed, by whom and why; long after Temporal forgot it');
  const show = audit
    .command('show <authority>')
    .description('how each CA rotation of an authority ended, from the records beside it')
    .action((authority: string, _options: object, self: Command) => showRecords(self, authority));
  const verify = audit
    .command('verify <log>')
    .description("check that no audit event of a worker's log was changed or taken out between two others")
    .action((log: string, _options: object, self: Command) => verifyLog(self, log));
  withExamples(show, 'audit show temporal-booking', 'audit show temporal-booking -o json');
  withExamples(verify, 'audit verify worker.log');
  withExamples(audit, 'audit show temporal-booking', 'audit verify worker.log');
}

async function showRecords(command: Command, authority: string): Promise<void> {
  const options = globalOptions(command);
  const loaded = await loadConfig(configFile(options));
  mustHave('authorities', authority)(loaded);
  const records = await rotationRecords(await openKeystore(loaded), authority);
  const broken = brokenLink(records);
  const rows = records.map(({ endedAt, outcome, runId = '', reason = '', result }) => {
    const { decision } = result ?? {};
    const by = decision ? `${decision.who} (${decision.identity}): ${decision.why}` : '';
    return [atSecond(endedAt), outcome, runId, by || reason];
  });
  answer(options, { authority, records, broken: broken ?? null }, [
    ...(rows.length > 0 ? alignedColumns([['ENDED', 'OUTCOME', 'RUN', 'WHO AND WHY'], ...rows]) : ['no rotation yet']),
    ...(broken ? [`! The chain is broken: ${broken}`] : []),
  ]);
  if (broken) process.exitCode = exitCodes.failed;
}

async function verifyLog(command: Command, log: string): Promise<void> {
  const options = globalOptions(command);
  const all = eventsIn(await textOf(log));
  const results = [...new Set(all.map(({ stream }) => stream))].map((stream) => {
    const events = all.filter((event) => event.stream === stream);
    return { stream, events: events.length, broken: brokenLink(events) };
  });
  const lines = results.map(({ stream, events, broken }) => `${stream}: ${events} events, ${broken ?? 'unbroken'}`);
  const document = results.map(({ broken, ...result }) => ({ ...result, broken: broken ?? null }));
  answer(options, document, lines.length > 0 ? lines : 'no audit event');
  if (results.some(({ broken }) => broken)) process.exitCode = exitCodes.failed;
}

/** Of a worker's log: one JSON document per line, those of the audit in a field of their own. */
function eventsIn(log: string): readonly AuditEvent[] {
  return log.split('\n').flatMap((line) => {
    try {
      const { audit } = JSON.parse(line) as { audit?: AuditEvent };
      return audit ? [audit] : [];
    } catch {
      return [];
    }
  });
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new BadInput(`cannot read ${file}: ${(error as NodeJS.ErrnoException).code}`);
  }
}
