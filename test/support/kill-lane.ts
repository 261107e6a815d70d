import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import { parse, stringify } from 'yaml';
import { loadConfig } from '../../src/config/load.js';
import { allowVariable } from '../../src/config/powers.js';
import { resolveSecret } from '../../src/config/references.js';
import type { Fingerprint } from '../../src/domain/certificate.js';
import { caRotationId, defaultTaskQueue, leafRotationId } from '../../src/domain/ids.js';
import type { CaRotationResult, LeafRotationResult } from '../../src/domain/rotation.js';
import { createKeystore } from '../../src/keystore/index.js';
import type { Keystore } from '../../src/keystore/keystore.js';
import { untilApprovalIsAsked } from '../../src/sandbox/approval.js';
import { killGroup, sandboxEnvironment, spawnChild } from '../../src/sandbox/children.js';
import type { Sandbox } from '../../src/sandbox/index.js';
import type { SandboxRun } from './sandbox-run.js';
import { witnessedWorker } from './witness.js';
import { startApiProxy, type ApiProxy, type CallFate } from './api-proxy.js';
import { KillPoints } from './kill-points.js';
import type { ServerCertificate } from './server-certificate.js';
import { PollsSeen } from './polls-seen.js';
import { addTeam, registerNamespace, teamOf, type Team } from './team.js';
import { assertCaRotated, assertLeafRotated, teamState, type TeamState } from './team-state.js';
import { startTemporalProxy, type TemporalProxy } from './temporal-proxy.js';

export type Workflow = 'caRotation' | 'leafRotation';

/** As short as the sandbox allows: a proof outlasts its slowest frontend. */
const timing = {
  connectionAge: '400ms',
  connectionAgeGrace: '200ms',
  secretPropagation: '1s',
  soak: '700ms',
  watch: '1s',
};
const patienceMs = 300_000;
const program = fileURLToPath(new URL('../../dist/worker.js', import.meta.url));

/**
 * A team of a sandbox with a rotation worker of its own: the real program as a process, which everything reaches through proxies
 * that know each place at which it may be killed.
 */
export class KillLane {
  readonly team: Team;
  /** Every leaf that the team's workers were seen to have. */
  readonly leaves = new Set<Fingerprint>();
  readonly #sandbox: Sandbox;
  readonly #points = new KillPoints(() => killGroup(this.#worker!));
  #folder = '';
  #environment: Record<string, string> = {};
  #worker: ChildProcess | undefined;
  #temporal: TemporalProxy | undefined;
  #api: ApiProxy | undefined;
  #client: Client | undefined;
  readonly #polls: PollsSeen;
  #keystore: Keystore | undefined;
  #stopping = false;

  private constructor(sandbox: Sandbox, team: Team) {
    this.#sandbox = sandbox;
    this.#polls = new PollsSeen(sandbox.gateway.recordFile);
    this.team = team;
  }

  static async begin(
    { sandbox, keysFile }: SandboxRun,
    name: string,
    certificate: ServerCertificate,
  ): Promise<KillLane> {
    const lane = new KillLane(sandbox, teamOf(name));
    await lane.#begin(certificate, keysFile);
    return lane;
  }

  async #begin(certificate: ServerCertificate, keysFile: string): Promise<void> {
    const { temporal, kubernetes, dir, configFile } = this.#sandbox;
    const { authority } = this.team;
    this.#folder = join(dir, authority);
    await mkdir(join(this.#folder, 'tmp'), { recursive: true, mode: 0o700 });
    await registerNamespace(this.#sandbox, this.#rotations);
    this.#client = new Client({
      connection: await Connection.connect({ address: temporal.address }),
      namespace: this.#rotations,
    });
    this.#temporal = await startTemporalProxy(temporal.address, this.#rotations, this.#points);
    this.#api = await startApiProxy(kubernetes.adminKubeconfig, {
      certificate,
      file: join(this.#folder, 'kubeconfig'),
      fateOf: (call) => this.#fateOf(call),
    });
    this.#watchCloud();
    const file = join(this.#folder, 'rotation.yaml');
    await writeFile(file, this.#configuration(await readFile(configFile, 'utf8')), { mode: 0o600 });
    await kubernetes.admin.create('/api/v1/namespaces', {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: this.#rotations },
    });
    await addTeam(this.#sandbox, this.team, { configFile: file, replicas: 1, readyAtOnce: true });
    this.#keystore = await this.#openKeystore(file);
    this.#environment = sandboxEnvironment({
      CERT_ROTATION_CONFIG: file,
      TEMPORAL_ADDRESS: this.#temporal.address,
      TMPDIR: join(this.#folder, 'tmp'),
      HOME: this.#folder,
      HOSTNAME: this.#rotations,
      [allowVariable]: 'foreign-cloud',
      ...witnessedWorker(keysFile),
    });
    this.#startWorker();
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    const worker = this.#worker;
    if (worker && worker.exitCode === null && worker.signalCode === null) {
      worker.kill('SIGTERM');
      await once(worker, 'exit');
    }
    await this.#temporal?.stop();
    this.#api?.stop();
    await this.#client?.connection.close();
  }

  /** Of its rotations; behind no proxy. */
  get client(): Client {
    return this.#client!;
  }

  /** Every place that the last rotation passed. */
  get places(): readonly string[] {
    return this.#points.places;
  }

  /** Rotates to the end, with the worker killed at one place or at none, and checks that nothing shows that it was. */
  async rotate(workflow: Workflow, deadly?: string): Promise<void> {
    // Each rotation finds what the first one found.
    for (const prefix of ['trust.', 'rotation.'])
      for (const { name } of await this.#keystore!.list(prefix)) await this.#keystore!.delete(name);
    const before = await this.#state();
    this.#points.begin(deadly);
    const { authority, target } = this.team;
    const [workflowId, input] =
      workflow === 'caRotation' ? [caRotationId(authority), { authority }] : [leafRotationId(target), { target }];
    const handle = await this.#client!.workflow.start(workflow, {
      workflowId,
      taskQueue: defaultTaskQueue,
      args: [input],
      workflowExecutionTimeout: patienceMs,
    });
    const approving = workflow === 'caRotation' && this.#approve(handle);
    const result = (await handle.result()) as CaRotationResult & LeafRotationResult;
    await approving;
    assert.equal(this.#points.kills, deadly ? 1 : 0, 'was not reached');
    const assertRotated = workflow === 'caRotation' ? assertCaRotated : assertLeafRotated;
    assertRotated(before, await this.#state(), result);
    const onDisk = await readdir(join(this.#folder, 'tmp'), { recursive: true, withFileTypes: true });
    const left = onDisk.filter((entry) => entry.isFile()).map(({ name }) => name);
    assert.deepEqual(left, [], 'left on disk');
  }

  /** The Temporal namespace of the rotations, and the Kubernetes namespace of the keystore. */
  get #rotations(): string {
    return `${this.team.authority}-rotations`;
  }

  #configuration(sandboxes: string): string {
    const config = parse(sandboxes) as Record<string, object>;
    return stringify({
      ...config,
      temporal: { namespace: this.#rotations, taskQueue: defaultTaskQueue },
      keystore: { ...config['keystore'], namespace: this.#rotations },
      kubernetes: { ...config['kubernetes'], kubeconfig: this.#api!.kubeconfig },
      timing: { ...config['timing'], ...timing },
      namespaces: {},
      authorities: {},
      targets: {},
    });
  }

  #startWorker(): void {
    const log = openSync(join(this.#folder, 'worker.log'), 'a', 0o600);
    const worker = spawnChild(process.execPath, [program], { env: this.#environment, stdio: ['pipe', log, log] });
    closeSync(log);
    this.#worker = worker;
    worker.once('exit', () => {
      if (this.#stopping) return;
      void this.#temporal!.handBack();
      this.#startWorker();
    });
  }

  #fateOf(call: string): CallFate {
    const [method] = call.split(' ');
    if (method === 'GET') return {};
    const place = this.#named(call);
    if (this.#points.pass(`${place}: on arrival`)) return { onArrival: 'broken connection' };
    return {
      beforeTheAnswer: () => (this.#points.pass(`${place}: before the answer`) ? 'broken connection' : undefined),
    };
  }

  /** The same for every lane, and for every run. */
  #named(call: string): string {
    return call
      .replace(/cert-rotation\.(\w+)\..*$/, '$1')
      .replaceAll(this.#rotations, 'keystore')
      .replaceAll(this.team.authority, 'team');
  }

  #watchCloud(): void {
    const { store } = this.#sandbox;
    const update = store.update.bind(store);
    store.update = (change) => {
      if (change.namespace !== this.team.namespace) return update(change);
      if (this.#points.pass('the cloud changes the namespace: on arrival')) throw new Error('nobody waits for this');
      const operation = update(change);
      this.#points.pass('the cloud changes the namespace: before the answer');
      return operation;
    };
  }

  async #approve(handle: WorkflowHandle): Promise<void> {
    for (;;) {
      const evidence = await untilApprovalIsAsked(this.#client!, handle.workflowId);
      if (!evidence) return;
      await handle.signal('approveCaRemoval', { who: 'ada', why: 'all moved', evidence }).catch(() => undefined);
      await wait(500);
    }
  }

  async #state(): Promise<TeamState> {
    const seen = { keystore: this.#keystore!, polls: this.#polls };
    const state = await teamState(this.#sandbox, this.team, seen);
    this.leaves.add(state.leaf.fingerprint);
    return state;
  }

  /** As the rotation worker's, but behind no proxy. */
  async #openKeystore(configFile: string): Promise<Keystore> {
    const { config } = await loadConfig(configFile);
    const encryptionKey = config.keystore.encryptionKey && (await resolveSecret(config.keystore.encryptionKey));
    return createKeystore(config.keystore, { kubernetes: this.#sandbox.kubernetes.admin, encryptionKey });
  }
}
