import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { parse, stringify } from 'yaml';
import { createKubernetesClient, type KubernetesObject } from '../../src/kubernetes/client.js';
import type { SandboxDescription } from '../../src/sandbox/description.js';
import { readRecord } from '../../src/sandbox/gateway/record.js';
import { findTool } from '../../src/sandbox/tools/index.js';
import { aCa, aLeaf } from '../support/certificates.js';
import { eventually } from '../support/eventually.js';
import { commandLine, descendantsOf, running } from '../support/processes.js';
import { rotationWorker, SandboxUp } from '../support/sandbox-up.js';
import { ended, runStarter, spawnProgram, spawnStarter, type Environment } from '../support/starter.js';

const exec = promisify(execFile);

describe('sandbox up', () => {
  let up: SandboxUp;
  let folder: string;
  let dir: string;
  let description: SandboxDescription;
  let shell: Environment;

  before(async () => {
    up = await SandboxUp.begin();
    ({ folder, dir, description, shell } = up);
  });
  after(() => up?.stop());

  const starter = (...args: string[]) => up.starter(...args);
  async function json(...args: string[]) {
    const { stdout, stderr, code } = await starter(...args, '-o', 'json');
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout) as unknown;
  }

  it('sandbox.json says where everything is', () => {
    const { temporal, gateway, cloud, kubernetes, worker } = description;
    assert.deepEqual(Object.keys(temporal), ['address', 'ui']);
    assert.deepEqual(Object.keys(gateway), ['address', 'caFile', 'serverNames']);
    assert.deepEqual(gateway.serverNames, { 'temporal-booking.sdvdw': 'temporal-booking.sdvdw.tmprl.cloud' });
    assert.deepEqual(Object.keys(cloud), ['address', 'caFile', 'apiKey']);
    assert.deepEqual(Object.keys(kubernetes), ['kubeconfig']);
    assert.deepEqual(Object.keys(worker!), ['pid']);
    assert.equal(description.pid, up.process.pid);
    assert.equal(shell['CERT_ROTATION_CONFIG'], description.configuration);
  });

  it('each tool of the article is on the PATH that it prints, and reaches the sandbox with what else it prints', async () => {
    const run = async (program: string, ...args: readonly string[]) =>
      (await exec(program, args, { env: shell })).stdout;
    const [namespace] = Object.keys(description.gateway.serverNames);
    assert.ok(Array.isArray(JSON.parse(await run('temporal', 'workflow', 'list', '--limit=1', '--output=json'))));
    assert.match(
      await run('kubectl', 'get', 'deployments', '--namespace=temporal-booking'),
      /temporal-booking-worker +3\/3/,
    );
    assert.match(await run('tcld', 'namespace', 'get', `--namespace=${namespace}`), /acceptedClientCa/);
    assert.match(await run('certstrap', '--version'), /certstrap version/);
  });

  it('worker.pid is the rotation worker', async () =>
    assert.match(await commandLine(description.worker!.pid), /worker\.[jt]s$/));

  it('safety 25: folders of the state are 0700, files 0600', async () => {
    const entries = await readdir(dir, { recursive: true, withFileTypes: true });
    const paths = entries
      .filter((entry) => !entry.isSymbolicLink())
      .map(({ parentPath, name }) => join(parentPath, name));
    assert.ok(paths.length > 20);
    const modes = await Promise.all(
      [dir, ...paths].map(async (path) => ({ path, mode: (await stat(path).catch(() => undefined))?.mode ?? 0 })),
    );
    assert.deepEqual(
      modes.filter(({ mode }) => (mode & 0o077) !== 0).map(({ path, mode }) => `${path} ${(mode & 0o777).toString(8)}`),
      [],
    );
  });

  it('a second one in the same folder is refused by the id of the first', async () => {
    const { code, stderr } = await starter('sandbox', 'up', '--state', dir);
    assert.equal(code, 2);
    assert.match(stderr, new RegExp(`a sandbox runs in ${dir} as process ${up.process.pid}`));
  });

  it('a folder with files of somebody else is refused and left alone', async () => {
    const { code, stderr } = await starter('sandbox', 'up', '--state', folder);
    assert.equal(code, 2);
    assert.match(stderr, /holds other files \(\w+\): name a new or empty folder/);
    assert.ok((await readdir(folder)).includes('home'));
  });

  describe('the starter', () => {
    it('status tells of rotations that there were not', async () => {
      const rows = (await json('status')) as { workflowId: string; outcome: string }[];
      const outcomes = new Map(rows.map(({ workflowId, outcome }) => [workflowId, outcome]));
      assert.equal(outcomes.get('ca/temporal-booking'), 'none known');
      assert.equal(outcomes.get('leaf/booking-worker'), 'none known');
    });

    it('a decision that nothing asks for is refused', async () => {
      const { code, stderr } = await starter('approve', 'temporal-booking', '--who', 'ada');
      assert.equal(code, 2);
      assert.match(stderr, /ca\/temporal-booking is not running: nothing to decide/);
    });

    it('an authority, a target, a name that is not there: refused, with those that are', async () => {
      for (const args of [
        ['rotate', 'ca', 'x'],
        ['rotate', 'leaf', 'constructor'],
        ['status', 'x'],
        ['reject', 'x', '--who', 'ada'],
      ]) {
        const { code, stderr } = await starter(...args);
        assert.equal(code, 2, args.join(' '));
        assert.match(stderr, /It has: .*(temporal-booking|booking-worker)/);
      }
    });

    it('Ctrl-C stops the following, not the rotation, which is joined and followed to its end', async () => {
      const following = spawnStarter(['rotate', 'leaf', 'booking-worker', '-o', 'json'], shell);
      following.stderr!.once('data', () => following.kill('SIGINT'));
      const interrupted = await ended(following);
      assert.equal(interrupted.code, 130);
      assert.match(interrupted.stderr, /No longer following\. leaf\/booking-worker goes on/);
      type Told = { runId: string; joined: boolean; outcome: string; actions: number };
      const { runId, joined, outcome } = JSON.parse(interrupted.stdout) as Told;
      assert.deepEqual([joined, outcome], [false, 'running']);

      const detail = await eventually(async () => {
        const [told] = (await json('status', 'booking-worker')) as {
          steps: unknown[];
          worker: string;
          details: string;
        }[];
        return told!.steps.length > 0 && told!.worker === 'live' ? told : undefined;
      });
      assert.match(detail.details, /phase \*\*\w+\*\*/);

      const { code, stdout, stderr } = await starter('rotate', 'leaf', 'booking-worker', '-o', 'json');
      assert.equal(code, 0, stderr);
      const told = JSON.parse(stdout) as Told;
      assert.deepEqual([told.runId, told.joined, told.outcome], [runId, true, 'completed']);
      assert.ok(told.actions > 5);
      assert.match(stderr, /leaf\/booking-worker runs already: joined run/);
      assert.match(stderr, /test +Connect with leaf/);
    });

    it('the schedule: applied, shown, paused, still paused after the next apply, resumed, deleted', async () => {
      const refused = await starter('schedule', 'show');
      assert.equal(refused.code, 2);
      assert.match(refused.stderr, /there is no schedule yet: cert-rotation schedule apply/);
      const told = async (...verb: string[]) => (await json('schedule', ...verb)) as Record<string, unknown>;
      const apply = async () => {
        const both = (await json('schedule', 'apply')) as { schedule: string; applied: string; paused: boolean }[];
        return both.map(({ schedule, applied, paused }) => `${schedule} ${applied}${paused ? ', paused' : ''}`);
      };
      assert.deepEqual(await apply(), ['cert-rotation-leaf created', 'cert-rotation-expiry created']);
      assert.equal((await told('show'))['upToDate'], true);
      assert.equal((await told('show', 'expiry'))['upToDate'], true);
      await told('pause');
      assert.deepEqual(await apply(), ['cert-rotation-leaf updated, paused', 'cert-rotation-expiry updated']);
      const { stdout } = await starter('schedule', 'show');
      assert.match(stdout, /cert-rotation-leaf: paused \(paused by cert-rotation\)\nWhen: +0 4 \* \* \* \(UTC\)\n/);
      await told('resume');
      assert.equal((await told('show'))['paused'], false);
      await told('delete');
      assert.equal((await starter('schedule', 'trigger')).code, 2);
    });
  });

  describe('a connection that fails says why and what to do', () => {
    async function refusal(env: Environment, ...args: string[]) {
      const { code, stdout, stderr } = await runStarter([...args, '-o', 'json'], { ...shell, ...env });
      const { error } = JSON.parse(stdout) as { error: { type: string; message: string; fix: string } };
      assert.ok(stderr.includes(error.message));
      return { code, ...error };
    }

    async function pairOf(name: string, lifetimeMs?: number): Promise<Environment> {
      const now = new Date(Date.now() - 86_400_000);
      const leaf = await aLeaf(await aCa(), { commonName: name, ...(lifetimeMs !== undefined && { lifetimeMs, now }) });
      const [certificate, key] = [join(folder, `${name}.crt`), join(folder, `${name}.key`)];
      await writeFile(certificate, leaf.certificate.pem);
      await writeFile(key, leaf.key.reveal());
      return { TEMPORAL_TLS_CLIENT_CERT_PATH: certificate, TEMPORAL_TLS_CLIENT_KEY_PATH: key };
    }

    it('a certificate of a CA that the namespace does not trust: the TLS alert', async () => {
      const { code, type, message, fix } = await refusal(await pairOf('stranger'), 'status');
      assert.deepEqual([code, type], [4, 'TemporalRefused']);
      assert.match(message, /refuses .*stranger\.crt \(\w+, valid until .*\) in the TLS handshake: /);
      assert.match(fix, /its CA must be in the namespace/);
    });

    it('nobody at the address', async () => {
      const { code, message } = await refusal({ TEMPORAL_ADDRESS: '127.0.0.1:1' }, 'status');
      assert.equal(code, 4);
      assert.match(message, /cannot be reached at 127\.0\.0\.1:1: ECONNREFUSED/);
    });

    it('a server certificate of unknown roots', async () => {
      const { code, message } = await refusal({ TEMPORAL_TLS_SERVER_CA_CERT_PATH: undefined }, 'status');
      assert.equal(code, 4);
      assert.match(message, /cannot be reached at .*: \w+: .*certificate/i);
    });

    it('a certificate that is no certificate, a key of another, one without the other', async () => {
      const stranger = await pairOf('other');
      const broken = join(folder, 'broken.crt');
      await writeFile(broken, 'not PEM');
      assert.equal((await refusal({ TEMPORAL_TLS_CLIENT_CERT_PATH: broken }, 'status')).code, 2);
      const mixed = await refusal({ TEMPORAL_TLS_CLIENT_KEY_PATH: stranger['TEMPORAL_TLS_CLIENT_KEY_PATH'] }, 'status');
      assert.match(mixed.message, /do not belong together/);
      const half = await refusal({ TEMPORAL_TLS_CLIENT_KEY_PATH: undefined }, 'status');
      assert.match(half.message, /a client certificate without its key/);
    });

    it('a profile that is not there, or is none, without quoting it', async () => {
      const missing = await refusal({ TEMPORAL_PROFILE: 'nope' }, 'status');
      assert.deepEqual([missing.code, missing.type], [2, 'TemporalProfileInvalid']);
      assert.match(missing.message, /TEMPORAL_PROFILE=nope .* cannot be used: Profile 'nope' not found/);
      const file = join(folder, 'broken.toml');
      await writeFile(file, '[profile.default]\napi_key = secret-without-quotes\n');
      const broken = await refusal({ TEMPORAL_CONFIG_FILE: file }, 'status');
      assert.match(broken.message, /TEMPORAL_CONFIG_FILE=.*broken\.toml cannot be used: /);
      assert.doesNotMatch(broken.message, /secret-without-quotes/);
    });

    it('a namespace that is not there', async () => {
      const config = parse(await readFile(description.configuration, 'utf8')) as { temporal: object };
      const file = join(dir, 'state', 'elsewhere.yaml');
      await writeFile(file, stringify({ ...config, temporal: { ...config.temporal, namespace: 'nowhere.acct' } }));
      const plaintext = {
        TEMPORAL_ADDRESS: description.temporal.address,
        TEMPORAL_TLS: 'false',
        TEMPORAL_API_KEY: undefined,
        TEMPORAL_TLS_CLIENT_CERT_PATH: undefined,
        TEMPORAL_TLS_CLIENT_KEY_PATH: undefined,
        TEMPORAL_CONFIG_FILE: undefined,
      };
      const { code, type } = await refusal(plaintext, 'status', '--config', file);
      assert.deepEqual([code, type], [4, 'TemporalNamespaceUnknown']);
    });
  });

  describe('safety 36: looking costs nothing and needs no worker', () => {
    async function scaleWorker(replicas: number): Promise<void> {
      const cluster = await createKubernetesClient({ kubeconfig: description.kubernetes.kubeconfig });
      await cluster.patch(rotationWorker, [{ op: 'replace', path: '/spec/replicas', value: replicas }]);
      type Deployment = KubernetesObject & { readonly status?: { readonly replicas?: number } };
      await eventually(
        async () => ((await cluster.get<Deployment>(rotationWorker))?.status?.replicas ?? 0) === replicas,
      );
      const pid = description.worker!.pid;
      if (replicas === 0) await eventually(async () => (await commandLine(pid)) === '');
    }
    const events = async (workflowId: string): Promise<number> => {
      const { stdout } = await exec(
        await findTool('temporal'),
        ['workflow', 'describe', '--workflow-id', workflowId, '--output', 'json'],
        { env: { ...shell } },
      );
      const info = JSON.parse(stdout) as { workflowExecutionInfo: { historyLength: string } };
      return Number(info.workflowExecutionInfo.historyLength);
    };

    before(async () => {
      await scaleWorker(0);
      await json('rotate', 'ca', 'temporal-booking', '--no-wait');
    });
    after(() => scaleWorker(1));

    it('status shows a rotation without a worker, from its history, and says so', async () => {
      const { code, stdout } = await starter('status');
      assert.equal(code, 0);
      assert.match(stdout, /^ca\/temporal-booking +running .*is a worker running\?$/m);
      assert.match(stdout, /^No live worker answers: this is from history alone\.$/m);
      const [detail] = (await json('status', 'temporal-booking')) as { worker: string; next: string }[];
      assert.deepEqual([detail!.worker, detail!.next], ['none', 'start a rotation worker, if none runs']);
    });

    it('it leaves the history as it is, and calls only what is not billed', async () => {
      const before = await events('ca/temporal-booking');
      const from = Date.now();
      await starter('status');
      await starter('status', 'temporal-booking');
      assert.equal(await events('ca/temporal-booking'), before);
      const record = await readRecord(join(dir, 'state', 'gateway-record.jsonl'));
      const recent = record.filter(({ t, kind }) => t >= from && kind === 'rpc-start');
      const ours = new Set(
        recent.filter(({ method }) => method === 'GetWorkflowExecutionHistory').map(({ conn }) => conn),
      );
      assert.equal(ours.size, 2);
      const methods = new Set(recent.filter(({ conn }) => ours.has(conn)).map(({ method }) => method));
      // A query is billed only when a worker answers it, and the metadata query not even then.
      const free = [
        'GetSystemInfo',
        'ListWorkflowExecutions',
        'GetWorkflowExecutionHistory',
        'DescribeWorkflowExecution',
      ];
      for (const method of [...free, 'QueryWorkflow']) methods.delete(method);
      assert.deepEqual([...methods], []);
    });

    it('a decision that no worker can take is told so', async () => {
      const { code, stderr } = await starter('reject', 'temporal-booking', '--who', 'ada');
      assert.equal(code, 4);
      assert.match(stderr, /no rotation worker answered for ca\/temporal-booking/);
    });

    it('meanwhile an approver is listed, whose signature will count', async () => {
      const { publicKey, privateKey } = generateKeyPairSync('ed25519');
      await writeFile(join(folder, 'ada.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
      type Approval = { approvers?: object };
      const config = parse(await readFile(description.configuration, 'utf8')) as {
        authorities: Record<string, { approval?: Approval }>;
      };
      const ada = { publicKey: publicKey.export({ type: 'spki', format: 'pem' }) };
      (config.authorities['temporal-booking']!.approval ??= {}).approvers = { ada };
      await writeFile(description.configuration, stringify(config), { mode: 0o600 });
    });

    it('once a worker is back, an early decision is refused, and sandbox.json has its new process', async () => {
      await scaleWorker(1);
      const { pid } = await eventually(async () => {
        const { worker } = await up.read();
        return worker && worker.pid !== description.worker!.pid ? worker : undefined;
      });
      assert.match(await commandLine(pid), /worker\.[jt]s$/);
      const { code, stderr } = await starter('approve', 'temporal-booking', '--who', 'ada');
      assert.equal(code, 2);
      assert.match(stderr, /not taken: ca\/temporal-booking does not ask for an approval now/);
    });
  });

  it('a CA rotation is followed and approved over a connection whose own certificate it replaces', async () => {
    const following = starter('rotate', 'ca', 'temporal-booking', '-o', 'json');
    await eventually(async () => {
      const [told] = (await json('status', 'temporal-booking')) as { phase: string; next: string }[];
      return told!.phase === 'approve' && told!.next.startsWith('cert-rotation approve temporal-booking');
    }, 240_000);
    const approve = ['approve', 'temporal-booking', '--who', 'ada', '--why', 'all workers moved'];
    assert.match((await starter(...approve)).stderr, /not taken: only ada may approve, signed: --sign-with/);
    const taken = await json(...approve, '--sign-with', join(folder, 'ada.pem'));
    const { accepted, evidence, identity } = taken as { accepted: boolean; evidence: string; identity: string };
    assert.deepEqual([accepted, identity], [true, 'verified']);
    assert.match(evidence, /^[0-9a-f]{64}$/);
    const { code, stdout, stderr } = await following;
    assert.equal(code, 0, stderr);
    const { joined, outcome } = JSON.parse(stdout) as { joined: boolean; outcome: string };
    assert.deepEqual([joined, outcome], [true, 'completed']);
    assert.match(stderr, /waits for: a person to decide on the removal of the old CA/);
    const rows = (await json('status')) as { workflowId: string; outcome: string; notAfter: string }[];
    assert.deepEqual(
      rows.map((row) => row.outcome),
      ['completed', 'completed', 'completed'],
    );
  });

  describe('safety 25: a configuration and a cluster that do not belong together are refused by the worker', () => {
    /** What the worker stops with when the configuration names this sandbox. */
    async function stopsWith(sandbox: string | undefined): Promise<string> {
      const config = parse(await readFile(description.configuration, 'utf8')) as { kubernetes: object };
      const file = join(dir, 'state', 'other.yaml');
      await writeFile(file, stringify({ ...config, kubernetes: { ...config.kubernetes, sandbox } }));
      const env = { ...shell, CERT_ROTATION_CONFIG: file };
      const { code, stdout } = await ended(spawnProgram('worker', [], env));
      assert.equal(code, 1);
      const { type, reason } = JSON.parse(stdout.trim().split('\n').at(-1)!) as { type: string; reason: string };
      assert.equal(type, 'ConfigurationInvalid');
      return reason;
    }

    it('a production configuration refuses a cluster with the marker of a sandbox', async () =>
      assert.match(await stopsWith(undefined), /This cluster is a sandbox, but the configuration is not for one/));

    it('the configuration of a sandbox refuses the cluster of another', async () =>
      assert.match(await stopsWith('0123456789abcdef'), /for the sandbox 0123456789abcdef, but this cluster is not/));

    it('and a cluster without a marker', async () => {
      const { sandbox } = (
        parse(await readFile(description.configuration, 'utf8')) as { kubernetes: { sandbox: string } }
      ).kubernetes;
      const admin = await createKubernetesClient({ kubeconfig: description.kubernetes.kubeconfig });
      await admin.delete('/api/v1/namespaces/cert-rotation/configmaps/cert-rotation-sandbox');
      assert.match(await stopsWith(sandbox), new RegExp(`for the sandbox ${sandbox}, but this cluster is not`));
    });
  });

  it('safety 25: none of this reached the cluster and the account of the shell that it was started from', () =>
    assert.equal(up.poison.connections(), 0));

  it('safety 8: no key of the run is in a history, log, argument, environment, file, object or metric, nor in what a command said', async () =>
    assert.deepEqual(await up.placesWithKeys(), []));

  it('sandbox down ends it: no process and nothing of its state is left', async () => {
    const children = await descendantsOf(up.process.pid!);
    assert.ok(children.length >= 9, `only ${children.length} processes`);
    const { code, stdout } = await starter('sandbox', 'down', '--state', dir);
    assert.deepEqual([code, stdout], [0, 'ended\n']);
    assert.equal((await up.ended).code, 0);
    await eventually(async () => (await running(children)).length === 0, 5000);
    assert.deepEqual(await readdir(dir), []);
    assert.equal((await starter('sandbox', 'down', '--state', dir)).code, 2);
  });
});
