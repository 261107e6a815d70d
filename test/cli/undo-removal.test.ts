import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parse, stringify } from 'yaml';
import { undoByKey } from '../../src/cli/undo-by-key.js';
import type { AuditFacts } from '../../src/domain/audit.js';
import { unmarkRetiring, type AuthorityRecord } from '../../src/domain/authority.js';
import { RotationError } from '../../src/domain/failures.js';
import { entries } from '../../src/domain/ids.js';
import { runActivity } from '../support/activity-run.js';
import { approvedRemoval } from '../support/approved.js';
import { aCa, aWorld, booking, type World } from '../support/fakes.js';
import { runStarter } from '../support/starter.js';

const example = fileURLToPath(new URL('../../examples/temporal-booking/rotation.yaml', import.meta.url));

describe('`cert-rotation undo-removal`', () => {
  let dir: string;
  let environment: Record<string, string>;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cert-rotation-test-'));
    const file = join(dir, 'rotation.yaml');
    const config = parse(await readFile(example, 'utf8')) as object;
    const nowhere = { address: '127.0.0.1:1', namespace: 'default' };
    await writeFile(file, stringify({ ...config, temporal: nowhere }));
    environment = { PATH: process.env['PATH']!, HOME: dir, CERT_ROTATION_CONFIG: file };
  });
  after(() => rm(dir, { recursive: true, force: true }));

  it('safety 15: says what is left to do, where neither Temporal nor the keystore can be reached', async () => {
    const args = ['temporal-booking', '--who=ada', '--why=the nightly job is refused'];
    const { code, stderr } = await runStarter(['undo-removal', ...args], environment);
    assert.equal(code, 4, stderr);
    assert.match(stderr, /cannot be reached at 127\.0\.0\.1:1/);
    assert.match(stderr, /Nor can what temporal-booking trusted be read: .*break-glass restore --from/);
    const abort = await runStarter(['abort', ...args], environment);
    assert.equal(abort.code, 4, abort.stderr);
    assert.doesNotMatch(abort.stderr, /break-glass/);
  });
});

describe('safety 15: a removal is undone by the API key alone', () => {
  let world: World;
  let removing: ReturnType<typeof approvedRemoval>;
  let recorded: AuditFacts[];
  beforeEach(async () => {
    world = await aWorld({ timing: { watch: '2s' } });
    removing = approvedRemoval(world, await world.moved());
    recorded = [];
    await runActivity(world, 'rememberTrust', { authority: 'booking', namespace: booking, old: removing.old }).result;
  });
  const undo = () => {
    const { keystore, cloud } = world;
    const record = (facts: AuditFacts) => void recorded.push(facts);
    const wanted = (namespace: string) => world.config.namespaces[namespace]?.filters;
    return undoByKey({ keystore, cloud, wanted, record, onProgress: () => undefined }, 'booking');
  };
  const bothTrusted = () => assert.deepEqual([...world.bundle()].sort(), [removing.old, removing.ca].sort());
  const changeRecord = async (record: AuthorityRecord) => {
    const { name, version, ...entry } = (await world.keystore.get(entries.authority('booking')))!;
    await world.keystore.update(name, { ...entry, record }, version);
  };

  it('safety 15: while it is watched, which then ends as undone; what was changed is on record', async () => {
    const removal = runActivity(world, 'removeCa', removing);
    await removal.reaches(/^watching/);
    assert.deepEqual(world.bundle(), [removing.ca]);
    const [restored] = await undo();
    assert.deepEqual([restored?.namespace, restored?.added], [booking, [removing.old]]);
    bothTrusted();
    assert.equal(world.record().retiring, undefined);
    await assert.rejects(removal.result, { type: 'RemovalUndone' });
    bothTrusted();
    assert.deepEqual(
      recorded.map(({ event, stage }) => [event, stage]),
      [
        ['authorityChanged', 'begins'],
        ['authorityChanged', 'done'],
      ],
    );
  });

  it('safety 15: while it is about to be written: then it writes nothing', async () => {
    let isUndone = false;
    world.cloud.whileBusy = async (generation) => {
      if (isUndone || !generation.endsWith('/remove')) return;
      isUndone = true;
      await undo();
    };
    await assert.rejects(runActivity(world, 'removeCa', removing).result, { type: 'RemovalUndone' });
    assert.ok(isUndone);
    bothTrusted();
    assert.deepEqual(world.cloud.writes, []);
  });

  for (const when of ['beforeWrite', 'afterWrite'] as const)
    it(`safety 15: ${when === 'beforeWrite' ? 'right before' : 'right after'} the removal is written, which then meets it`, async () => {
      let isUndone = false;
      world.cloud[when] = async (generation: string) => {
        if (isUndone || !generation.endsWith('/remove')) return;
        isUndone = true;
        await undo();
      };
      await assert.rejects(runActivity(world, 'removeCa', removing).result, { type: 'RemovalUndone' });
      assert.ok(isUndone);
      bothTrusted();
    });

  it('safety 15: after its watch, before it is finished: then it is not, and the old key stays', async () => {
    await runActivity(world, 'removeCa', removing).result;
    await undo();
    bothTrusted();
    const finish = { authority: 'booking', ca: removing.ca, old: removing.old };
    await assert.rejects(runActivity(world, 'finishCa', finish).result, { type: 'RemovalUndone' });
    assert.ok((await world.keystore.get(entries.ca('booking', removing.old)))?.key);
  });

  it('what others changed meanwhile stays as they want it', async () => {
    const theirs = await aCa(7);
    const trust = () => world.cloud.namespaces.get(booking)!;
    world.cloud.namespaces.set(booking, { ...trust(), bundle: [...trust().bundle, theirs.certificate] });
    await runActivity(world, 'rememberTrust', { authority: 'booking', namespace: booking, old: removing.old }).result;
    const without = trust().bundle.filter(
      ({ fingerprint }) => ![theirs.certificate.fingerprint, removing.old].includes(fingerprint),
    );
    const filters = [{ commonName: 'worker' }];
    world.cloud.namespaces.set(booking, { ...trust(), bundle: without, filters });
    await undo();
    bothTrusted();
    assert.deepEqual(world.filters(), filters);
  });

  it('a namespace that cannot be changed keeps no other one from it', async () => {
    const kept = (await world.keystore.get(entries.trust('booking', booking)))!;
    const { namespaces, ...saved } = kept.record as { namespaces: object[] };
    const record = { ...saved, namespaces: [{ ...namespaces[0], namespace: 'a-gone.acct' }] };
    await world.keystore.delete(kept.name);
    await world.keystore.create(entries.trust('booking', 'a-gone.acct'), { ...kept, record });
    await world.keystore.create(kept.name, kept);
    const trust = world.cloud.namespaces.get(booking)!;
    const bundle = trust.bundle.filter(({ fingerprint }) => fingerprint !== removing.old);
    world.cloud.namespaces.set(booking, { ...trust, bundle });
    await assert.rejects(undo(), {
      type: 'CloudNotFound',
      message: /a-gone\.acct was not restored: .*booking\.acct: trusts again/,
    });
    bothTrusted();
  });

  it('a failure in its middle leaves it to be done again', async () => {
    const removal = runActivity(world, 'removeCa', removing);
    await removal.reaches(/^watching/);
    world.cloud.beforeWrite = () => {
      world.cloud.beforeWrite = () => undefined;
      throw new RotationError('CloudUnavailable', 'planted');
    };
    await assert.rejects(undo(), { type: 'CloudUnavailable' });
    assert.equal(world.record().retiring, removing.old);
    await undo();
    bothTrusted();
    await assert.rejects(removal.result, { type: 'RemovalUndone' });
  });

  it('what an earlier removal took stays out', async () => {
    const earlier = (await world.keystore.get(entries.trust('booking', booking)))!;
    const record = {
      ...(earlier.record as object),
      removal: { old: 'another CA', removing: ['another CA'], neighbours: [] },
    };
    await world.keystore.create(entries.trust('booking', 'other.acct'), { ...earlier, record });
    const restored = await undo();
    assert.deepEqual(
      restored.map(({ namespace, changed }) => [namespace, changed]),
      [[booking, false]],
    );
  });

  const refused: [string, (record: AuthorityRecord) => AuthorityRecord, RegExp][] = [
    ['no removal is under way', unmarkRetiring, /no CA is being removed/],
    ['it is an abort that takes a CA out', (record) => ({ ...record, retiring: record.next! }), /an abort takes CA/],
    [
      'the old CA is compromised',
      (record) => ({ ...record, compromised: [record.current!] }),
      /is compromised: it stays out/,
    ],
  ];
  for (const [what, change, message] of refused)
    it(`refused, and nothing is changed: ${what}`, async () => {
      await changeRecord(change(world.record()));
      await assert.rejects(undo(), { message });
      assert.deepEqual([world.cloud.writes, recorded], [[], []]);
    });
});
