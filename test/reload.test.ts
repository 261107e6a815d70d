import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { MockActivityEnvironment } from '@temporalio/testing';
import type { Dependencies } from '../src/activities/index.js';
import type { NamespaceTrust } from '../src/cloud/cloud.js';
import { loadConfig, type LoadedConfig } from '../src/config/load.js';
import { refusePowers } from '../src/config/powers.js';
import { RotationError } from '../src/domain/failures.js';
import { FollowedConfiguration } from '../src/reload.js';
import { eventually } from './support/eventually.js';
import { FakeKeystore } from './support/fakes.js';

const namespace = 'temporal-booking.sdvdw';

describe('safety 34: the configuration file is followed by the worker', () => {
  let folder: string;
  let example: string;
  let file: string;
  let lines: { level: 'info' | 'error'; reason?: string; configuration?: string }[];
  let unwired: Error | undefined;
  let followed: FollowedConfiguration;
  /** By their digest: when `readNamespace` answers, and whether the cloud was closed. */
  let clouds: Map<string, { answer: Promise<NamespaceTrust>; closed: boolean }>;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cert-rotation-'));
    example = await readFile('examples/temporal-booking/rotation.yaml', 'utf8');
  });
  after(() => rm(folder, { recursive: true, force: true }));
  beforeEach(async (context) => {
    file = join(folder, `${context.name.replace(/\W/g, '-')}.yaml`);
    [lines, unwired, clouds] = [[], undefined, new Map()];
    await writeFile(file, example);
    const log = (level: 'info' | 'error') => (fields: object) => void lines.push({ level, ...fields });
    followed = await FollowedConfiguration.start(await loadConfig(file), {
      log: { info: log('info'), error: log('error') },
      wire,
    });
  });

  async function wire({ config, digest }: LoadedConfig): Promise<Dependencies> {
    refusePowers(config, undefined);
    if (unwired) throw unwired;
    const trust = { namespace, bundle: [], filters: [] } as unknown as NamespaceTrust;
    const cloud = { answer: Promise.resolve(trust), closed: false };
    clouds.set(digest, cloud);
    const port = { readNamespace: () => cloud.answer, close: async () => void (cloud.closed = true) };
    const rest = { keystore: new FakeKeystore(), now: () => new Date(), searchAttributes: false, close: port.close };
    return { config, configDigest: digest, cloud: port, ...rest } as unknown as Dependencies;
  }

  const call = <Result>(activity: (input: never) => Promise<Result>, input: object): Promise<Result> =>
    new MockActivityEnvironment().run(activity as (given: object) => Promise<Result>, input);
  const planned = () => call(followed.activities.resolveCaRotation, { authority: 'temporal-booking' });
  const edit = async (from: string, to: string) => {
    assert.ok(example.includes(from));
    await writeFile(file, example.replace(from, to));
    await followed.look();
  };

  it('safety 34: what is valid takes the place of the last, and each resolution tells its digest', async () => {
    const first = await planned();
    assert.equal(first.configDigest, (await loadConfig(file)).digest);
    await edit('deadline: 5d', 'deadline: 3d');
    const second = await planned();
    assert.equal(second.approval.deadlineMs, 3 * 86_400_000);
    assert.equal(second.configDigest, (await loadConfig(file)).digest);
    assert.notEqual(second.configDigest, first.configDigest);
    const told = lines.map(({ level, configuration }) => ({ level, configuration }));
    assert.deepEqual(told, [{ level: 'info', configuration: second.configDigest }]);
  });

  const refused: Readonly<Record<string, [from: string, to: string, reason: RegExp]>> = {
    'one that breaks a rule, by line and key': [
      'lifetime: 30d',
      'lifetime: 1h',
      /yaml:\d+:\d+: targets\.booking-worker\.lifetime/,
    ],
    'one that is no YAML': ['targets:', 'targets: [', /yaml:\d+:\d+: .*not valid YAML/],
    'one that nobody granted': [
      'kind: ops-api',
      'kind: ops-api\n  address: evil.example:443',
      /evil\.example.*CERT_ROTATION_ALLOW/,
    ],
    'another task queue, which a running worker cannot take': [
      'taskQueue: cert-rotation',
      'taskQueue: other',
      /keeps its temporal: start it anew/,
    ],
    'another keystore': [
      '  namespace: cert-rotation\n  encryptionKey',
      '  namespace: elsewhere\n  encryptionKey',
      /keeps its keystore/,
    ],
  };
  for (const [what, [from, to, reason]] of Object.entries(refused))
    it(`safety 34: not taken, and told once: ${what}`, async () => {
      const { configDigest } = await planned();
      await edit(from, to);
      await followed.look();
      assert.equal((await planned()).configDigest, configDigest);
      assert.equal(lines.length, 1);
      assert.equal(lines[0]!.level, 'error');
      assert.match(lines[0]!.reason!, reason);
      assert.equal(lines[0]!.configuration, configDigest);
      await edit('deadline: 5d', 'deadline: 3d');
      assert.notEqual((await planned()).configDigest, configDigest);
    });

  it('safety 34: not taken: one whose secrets or files cannot be read; it is tried again', async () => {
    const { configDigest } = await planned();
    unwired = new RotationError('ReferenceUnreadable', 'planted.');
    await edit('deadline: 5d', 'deadline: 3d');
    assert.deepEqual([(await planned()).configDigest, lines.map(({ reason }) => reason)], [configDigest, ['planted.']]);
    unwired = undefined;
    await followed.look();
    assert.notEqual((await planned()).configDigest, configDigest);
  });

  it('safety 34: a file that is gone, or only laid out in another way, changes nothing', async () => {
    const { configDigest } = await planned();
    await edit('version: 1', '# a comment\nversion: 1');
    assert.equal(lines.length, 0);
    await rm(file);
    await followed.look();
    assert.equal((await planned()).configDigest, configDigest);
    assert.match(lines[0]!.reason!, /there is no such file/);
  });

  it('safety 34: an activity ends with what it began with, and what it used is closed after it', async () => {
    const { configDigest } = await planned();
    const old = clouds.get(configDigest)!;
    const filters = [{ commonName: 'what the old one answers' }];
    const answers = { namespace, bundle: [], filters } as unknown as NamespaceTrust;
    const released = new AbortController();
    old.answer = new Promise((resolve) => released.signal.addEventListener('abort', () => resolve(answers)));
    const removal = { authority: 'temporal-booking', namespace, old: 'old-ca' };
    const remember = () => call(followed.activities.rememberTrust, removal);
    const running = remember();
    await edit('deadline: 5d', 'deadline: 3d');
    assert.deepEqual((await remember()).filters, []);
    assert.equal(old.closed, false);
    released.abort();
    assert.deepEqual((await running).filters, filters);
    assert.equal(old.closed, true);
  });

  it('safety 34: it looks by itself until it is closed', async () => {
    followed.follow();
    await writeFile(file, example.replace('deadline: 5d', 'deadline: 3d'));
    await eventually(async () => (await planned()).approval.deadlineMs === 3 * 86_400_000);
    await followed.close();
    assert.equal(clouds.get((await planned()).configDigest)!.closed, true);
  });
});
