import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { killGroup, sandboxEnvironment, spawnChild } from '../children.js';
import { tail } from '../processes.js';
import { MountedSecret } from './mounted-secret.js';
import type { ContainerSpec, PodObject, SecretObject } from './pod-objects.js';

/** What an image is, here: a program. */
export interface Image {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export interface PodRunnerOptions {
  readonly pod: PodObject;
  readonly image: Image;
  readonly dir: string;
  readonly logFile: string;
  secret(name: string): SecretObject | undefined;
  /** The sandbox's name service: environment values that mean another place here. */
  readonly names: Readonly<Record<string, string>>;
}

const [firstBackOffMs, longestBackOffMs] = [500, 8000];

/** Runs one pod of one container as a process, restarts it with a back-off when it ends, and knows its status. */
export class PodRunner {
  readonly #options: PodRunnerOptions;
  readonly #secrets: ReadonlyMap<string, MountedSecret>;
  #child: ChildProcess | undefined;
  #startedAt: number | undefined;
  #restarts = 0;
  #lastEnd: { exitCode: number; message: string } | undefined;
  #restartTimer: NodeJS.Timeout | undefined;
  #ready = false;
  #nextProbe = 0;
  #failedProbes = 0;
  #stopping: Promise<void> | undefined;

  constructor(options: PodRunnerOptions) {
    this.#options = options;
    const secrets = (options.pod.spec.volumes ?? []).filter((volume) => volume.secret);
    this.#secrets = new Map(secrets.map(({ name }) => [name, new MountedSecret(join(options.dir, name))]));
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Brings the mounted Secrets up to date, starts the process once they are there, and looks at readiness. */
  async sync(): Promise<void> {
    if (this.#stopping) return;
    for (const volume of this.#options.pod.spec.volumes ?? []) {
      const secret = volume.secret && this.#options.secret(volume.secret.secretName);
      if (volume.secret && !secret) return;
      if (secret) await this.#secrets.get(volume.name)!.sync(secret);
      if (volume.emptyDir) await makePodFolder(join(this.#options.dir, volume.name));
    }
    if (!this.#child && !this.#restartTimer) this.#start();
    await this.#probe();
  }

  /** SIGTERM, SIGKILL after the pod's grace period; resolves when the process and its files are gone. */
  stop(graceMs: number): Promise<void> {
    this.#stopping ??= this.#end(graceMs);
    return this.#stopping;
  }

  status(): object {
    const running = this.#child !== undefined;
    const condition = (type: string, yes: boolean) => ({ type, status: yes ? 'True' : 'False' });
    const { name, image } = this.#container;
    return {
      phase: running || this.#restarts > 0 ? 'Running' : 'Pending',
      podIP: '127.0.0.1',
      podIPs: [{ ip: '127.0.0.1' }],
      conditions: [
        condition('PodScheduled', true),
        condition('Initialized', true),
        condition('ContainersReady', this.#ready),
        condition('Ready', this.#ready),
      ],
      containerStatuses: [
        {
          name,
          image,
          imageID: image,
          ready: this.#ready,
          restartCount: this.#restarts,
          state: running
            ? { running: { startedAt: new Date(this.#startedAt!).toISOString().replace(/\.\d+/, '') } }
            : { waiting: { reason: this.#restarts > 0 ? 'CrashLoopBackOff' : 'ContainerCreating' } },
          lastState: this.#lastEnd ? { terminated: this.#lastEnd } : {},
        },
      ],
    };
  }

  /** A container has a file system of its own: what it leaves in its temporary folder goes with the pod. */
  get #temporary(): string {
    return join(this.#options.dir, '.tmp');
  }

  get #container(): ContainerSpec {
    return this.#options.pod.spec.containers[0]!;
  }

  #start(): void {
    const { image, logFile } = this.#options;
    mkdirSync(this.#temporary, { recursive: true, mode: 0o700 });
    const log = openSync(logFile, 'a', 0o600);
    const child = spawnChild(image.command, image.args, { env: this.#environment(), stdio: ['pipe', log, log] });
    closeSync(log);
    this.#child = child;
    this.#startedAt = Date.now();
    this.#nextProbe = this.#startedAt + (this.#container.readinessProbe?.initialDelaySeconds ?? 0) * 1000;
    child.once('error', () => this.#ended(child, 127));
    child.once('exit', (code) => this.#ended(child, code ?? 137));
  }

  #ended(child: ChildProcess, exitCode: number): void {
    if (this.#child !== child) return;
    this.#child = undefined;
    this.#ready = false;
    this.#lastEnd = { exitCode, message: tail(this.#options.logFile, 1) };
    if (this.#stopping) return;
    const backOff = Math.min(firstBackOffMs * 2 ** this.#restarts, longestBackOffMs);
    this.#restarts += 1;
    this.#restartTimer = setTimeout(() => (this.#restartTimer = undefined), backOff);
  }

  /** At every look until the container is ready; then every `periodSeconds`, and it takes some failures to lose it again. */
  async #probe(): Promise<void> {
    const { exec, periodSeconds = 10, failureThreshold = 3, timeoutSeconds = 1 } = this.#container.readinessProbe ?? {};
    if (!this.#child || Date.now() < this.#nextProbe) return;
    const succeeded = !exec || (await this.#execute(exec.command, timeoutSeconds * 1000));
    this.#failedProbes = succeeded ? 0 : this.#failedProbes + 1;
    this.#ready = this.#child !== undefined && (succeeded || (this.#ready && this.#failedProbes < failureThreshold));
    if (this.#ready) this.#nextProbe = Date.now() + periodSeconds * 1000;
  }

  /** Paths below a mount become paths of the folder that stands for it: a process has no file system of its own. */
  #environment(): Record<string, string> {
    const { pod, image } = this.#options;
    const values: Record<string, string> = {
      HOSTNAME: pod.metadata!.name!,
      HOME: this.#options.dir,
      TMPDIR: this.#temporary,
      ...image.env,
    };
    for (const { name, value, valueFrom } of this.#container.env ?? []) {
      const { secretKeyRef, fieldRef } = valueFrom ?? {};
      if (value !== undefined) values[name] = this.#onThisMachine(value);
      if (fieldRef?.fieldPath === 'metadata.name') values[name] = pod.metadata!.name!;
      if (secretKeyRef) {
        const data = this.#options.secret(secretKeyRef.name)?.data?.[secretKeyRef.key];
        if (data !== undefined) values[name] = Buffer.from(data, 'base64').toString('utf8');
      }
    }
    return sandboxEnvironment(values);
  }

  #onThisMachine(value: string): string {
    const mount = (this.#container.volumeMounts ?? []).find(
      ({ mountPath }) => value === mountPath || value.startsWith(`${mountPath}/`),
    );
    if (mount) return join(this.#options.dir, mount.name) + value.slice(mount.mountPath.length);
    return this.#options.names[value] ?? value;
  }

  #execute(command: readonly string[], timeoutMs: number): Promise<boolean> {
    const [program, ...args] = command.map((part) => this.#onThisMachine(part));
    return succeeds(program!, args, { env: this.#environment(), timeout: timeoutMs });
  }

  async #end(graceMs: number): Promise<void> {
    clearTimeout(this.#restartTimer);
    const child = this.#child;
    if (child) {
      const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
      child.kill('SIGTERM');
      const kill = setTimeout(() => killGroup(child), graceMs);
      await gone;
      clearTimeout(kill);
    }
    await rm(this.#options.dir, { recursive: true, force: true });
  }
}

function succeeds(program: string, args: readonly string[], options: SpawnOptions): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { ...options, stdio: 'ignore', killSignal: 'SIGKILL' });
    child.once('error', () => resolve(false));
    child.once('exit', (code) => resolve(code === 0));
  });
}

export async function makePodFolder(dir: string): Promise<string> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  return dir;
}
