import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { createKubernetesClient, type KubernetesClient } from '../../src/kubernetes/client.js';
import { booking } from '../../src/sandbox/configuration.js';
import type { SandboxDescription } from '../../src/sandbox/description.js';
import { linkArticleTools } from '../../src/sandbox/tools/article.js';
import { findTools } from '../../src/sandbox/tools/index.js';
import type { Workload } from '../../src/targets/kubernetes/objects.js';
import { isSettled } from '../../src/targets/kubernetes/rollout.js';
import { eventually } from './eventually.js';
import { placesWithKeys, recordedKeys, type Place } from './key-scan.js';
import { poisonIn, type Poison } from './poison.js';
import { ended, runStarter, spawnStarter, type Environment, type Ran } from './starter.js';
import { tracesLeft, tracesOf, watchProcesses, witnessedWorker } from './witness.js';

/** API path of the Deployment. */
export const rotationWorker = '/apis/apps/v1/namespaces/cert-rotation/deployments/cert-rotation-worker';

const progress = (line: string): void => void process.stderr.write(`${line}\n`);

/** What a person has who typed `sandbox up --with-tools`, in a shell that leads elsewhere. */
export class SandboxUp {
  /** Gone afterwards. */
  readonly folder: string;
  /** Its state. */
  readonly dir: string;
  readonly poison: Poison;
  readonly process: ChildProcess;
  readonly ended: Promise<Ran>;
  /** What the shell of a person has who typed what `sandbox up` printed, over what was there before. */
  shell: Environment = {};
  readonly #processes = watchProcesses();
  readonly #said: Ran[] = [];
  #description: SandboxDescription | undefined;

  private constructor(folder: string, poison: Poison) {
    this.folder = folder;
    this.dir = join(folder, 'sandbox');
    this.poison = poison;
    this.process = spawnStarter(['sandbox', 'up', '--state', this.dir, '--with-tools'], poison.environment);
    this.ended = ended(this.process);
  }

  static async begin(): Promise<SandboxUp> {
    const folder = await mkdtemp(join(tmpdir(), 'cert-rotation-test-'));
    // Nothing can be fetched by way of the recording servers that the shell's proxies are.
    await findTools({ progress });
    await linkArticleTools(join(folder, 'tools'), progress);
    const up = new SandboxUp(folder, await poisonIn(folder));
    try {
      await up.#begin();
      return up;
    } catch (error) {
      await up.stop();
      throw error;
    }
  }

  async #begin(): Promise<void> {
    let printed = '';
    this.process.stdout!.on('data', (chunk: Buffer) => (printed += chunk.toString()));
    await Promise.race([
      eventually(async () => printed.includes('export PATH='), 240_000),
      this.ended.then(({ stderr }) => assert.fail(`sandbox up ended: ${stderr}`)),
    ]);
    const { environment } = this.poison;
    const exports = [...printed.matchAll(/^export (\w+)=(.*)$/gm)].map(([, name, value]) => [
      name!,
      value!.replace('$PATH', environment['PATH'] ?? ''),
    ]);
    this.shell = { ...environment, HTTP_PROXY: undefined, HTTPS_PROXY: undefined, ...Object.fromEntries(exports) };
    this.#description = await this.#witnessed(await this.read());
  }

  get description(): SandboxDescription {
    return this.#description!;
  }

  async stop(): Promise<void> {
    this.process.kill('SIGKILL');
    await this.ended;
    await this.#processes.stop();
    await this.poison.stop();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** sandbox.json as it is now. */
  async read(): Promise<SandboxDescription> {
    return JSON.parse(await readFile(join(this.dir, 'sandbox.json'), 'utf8')) as SandboxDescription;
  }

  async starter(...args: readonly string[]): Promise<Ran> {
    const ran = await runStarter(args, this.shell);
    this.#said.push(ran);
    return ran;
  }

  /** Where a key that the rotation worker made or read is and must not be. */
  async placesWithKeys(): Promise<readonly string[]> {
    const connection = await Connection.connect({ address: this.description.temporal.address });
    try {
      const client = new Client({ connection, namespace: booking.namespace });
      const traced = { dir: join(this.dir, 'state'), kubernetes: { admin: await this.#cluster() } };
      const said: readonly Place[] = this.#said.map(({ stdout, stderr }) => ({
        name: 'said by a command',
        content: Buffer.from(stdout + stderr),
      }));
      const places = [...(await tracesOf(traced, [client])), ...(await this.#processes.places()), ...said];
      return placesWithKeys(places, await recordedKeys(this.#keysFile), [...tracesLeft, /^said by a command$/]);
    } finally {
      await connection.close();
    }
  }

  get #keysFile(): string {
    return join(this.folder, 'recorded-keys');
  }

  async #cluster(): Promise<KubernetesClient> {
    const { kubeconfig } = (this.#description ?? (await this.read())).kubernetes;
    return createKubernetesClient({ kubeconfig });
  }

  /** Its rotation worker starts anew and writes its keys down. Returns what sandbox.json says then. */
  async #witnessed(before: SandboxDescription): Promise<SandboxDescription> {
    const admin = await this.#cluster();
    const added = Object.entries(witnessedWorker(this.#keysFile)).map(([name, value]) => ({
      op: 'add' as const,
      path: '/spec/template/spec/containers/0/env/-',
      value: { name, value },
    }));
    await admin.patch(rotationWorker, added);
    await eventually(async () => isSettled((await admin.get<Workload>(rotationWorker))!), 120_000);
    return eventually(async () => {
      const now = await this.read();
      return now.worker && now.worker.pid !== before.worker?.pid && now;
    }, 60_000);
  }
}
