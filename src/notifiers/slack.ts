import { z } from 'zod';
import { secretReference } from '../config/fields.js';
import type { Notification } from '../domain/notification.js';
import { everyNotifier } from './fields.js';
import { post } from './http.js';
import type { Notifier } from './notifier.js';

export const slackSchema = z.strictObject({
  kind: z.literal('slack'),
  /** The incoming webhook's URL. It lets anyone post who has it, so it is a reference. */
  url: secretReference,
  ...everyNotifier,
});

/** Slack cuts a message off at 40,000 characters and asks for less than 4,000 (api.slack.com/changelog, 2018-04). */
const longest = 3800;
const longestLine = 800;

/** Notifier `slack`: an incoming webhook of Slack, or of what takes the same format (Mattermost, Rocket.Chat). */
export function createSlackNotifier(notifier: string, config: z.infer<typeof slackSchema>): Notifier {
  return {
    async send(notification) {
      const body = JSON.stringify({ text: textOf(notification) });
      await post({ notifier, url: config.url, body, timeoutMs: config.timeout });
      return { warnings: [] };
    },
  };
}

const marks = { info: ':information_source:', warning: ':warning:', critical: ':rotating_light:' } as const;

function textOf({ severity, title, lines, commands, workflow }: Notification): string {
  const head = `${marks[severity]} *${escaped(title)}*`;
  const foot = [
    ...commands.map((command) => `\`${escaped(command)}\``),
    ...(workflow ? [`_${escaped(workflow.workflowId)}_`] : []),
  ];
  const body = lines.map((line) => `• ${escaped(line.length > longestLine ? `${line.slice(0, longestLine)}…` : line)}`);
  return [head, ...fitting(body, longest - [head, ...foot].join('\n').length), ...foot].join('\n');
}

/** As many lines as fit, and how many did not: what a person can do stands below and is never cut off. */
function fitting(lines: readonly string[], room: number): readonly string[] {
  const kept: string[] = [];
  let used = 0;
  for (const line of lines) {
    used += line.length + 1;
    if (used > room - 40) return [...kept, `… and ${lines.length - kept.length} more`];
    kept.push(line);
  }
  return kept;
}

/** The three characters that are markup to Slack: `<!channel>` in somebody's certificate calls nobody. */
function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
