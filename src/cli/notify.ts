import { randomUUID } from 'node:crypto';
import type { Command } from 'commander';
import { loadConfig } from '../config/load.js';
import type { Notification } from '../domain/notification.js';
import { createNotifier } from '../notifiers/index.js';
import { answer, configFile, globalOptions, withExamples } from './context.js';
import { BadInput } from './exit.js';

export function addNotifyCommands(program: Command): void {
  const notify = program.command('notify').description('what tells people of expiry, approvals and rotations');
  const test = notify
    .command('test <notifier>')
    .description('send a test message from here, with what this shell can resolve of its references')
    .action((notifier: string, _options, command: Command) => testNotifier(command, notifier));
  withExamples(test, 'notify test ops-mail');
  withExamples(notify, 'notify test ops-mail');
}

async function testNotifier(command: Command, name: string): Promise<void> {
  const options = globalOptions(command);
  const file = configFile(options);
  const { notifiers } = (await loadConfig(file)).config;
  const config = Object.hasOwn(notifiers, name) ? notifiers[name] : undefined;
  if (!config) {
    const known = Object.keys(notifiers).join(', ') || 'none';
    throw new BadInput(`${file} has no notifier "${name}". It has: ${known}`);
  }
  const notification = testNotification(name);
  const { warnings } = await createNotifier(name, config, process.stderr).send(notification);
  const lines = [`${name} (${config.kind}) has taken the test message`, ...warnings];
  answer(options, { notifier: name, kind: config.kind, id: notification.id, warnings }, lines);
}

function testNotification(name: string): Notification {
  return {
    id: randomUUID(),
    event: 'test',
    severity: 'info',
    at: new Date().toISOString(),
    title: `Test of the notifier ${name}`,
    lines: ['Nothing happened: somebody wanted to know whether messages of cert-rotation arrive here.'],
    commands: [],
  };
}
