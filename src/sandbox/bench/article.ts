import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { runCommand } from '../../command.js';
import { describeSandbox } from '../description.js';
import type { Sandbox } from '../index.js';
import { linkArticleTools } from '../tools/article.js';
import type { Done } from './procedure.js';
import { typedCommands } from './typed-commands.js';

const script = fileURLToPath(new URL('../../../examples/article/rotate.sh', import.meta.url));
const deadlineMs = 300_000;
const rotationWorker = 'cert-rotation-worker';

/**
 * The article's script on a sandbox whose folder is named `state`. The rotation worker ends first: the article knows none, and
 * removes the CA of its leaf.
 */
export async function prepareArticle(sandbox: Sandbox, progress: (line: string) => void): Promise<void> {
  const { dir, kubernetes, nodeAgent } = sandbox;
  await linkArticleTools(join(dir, 'bin'), progress);
  await writeFile(join(dirname(dir), 'sandbox.json'), JSON.stringify(describeSandbox(sandbox)), { mode: 0o600 });
  const scale = `/apis/apps/v1/namespaces/cert-rotation/deployments/${rotationWorker}/scale`;
  await kubernetes.admin.patch(scale, [{ op: 'replace', path: '/spec/replicas', value: 0 }]);
  while ([...nodeAgent.pods().keys()].some((pod) => pod.startsWith(rotationWorker))) await wait(200);
}

/** `rotate.sh`, as a person runs it who never hesitates. Temporal does nothing of it, so it costs no action. */
export async function rotateByHand({ dir }: Sandbox, scenario: 'ca' | 'leaf'): Promise<Done> {
  const began = performance.now();
  const { stdout } = await runCommand({
    program: { path: script },
    args: [dirname(dir), scenario],
    env: { PATH: process.env['PATH'] ?? '' },
    deadlineMs,
  });
  const seconds = (performance.now() - began) / 1000;
  return { typed: typedCommands(stdout), seconds, temporalActions: 0, heartbeatsAtMost: 0 };
}
