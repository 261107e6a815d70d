import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { entries } from '../../src/domain/ids.js';
import type { KeyPair } from '../../src/x509/pair.js';
import { signedBy } from '../../src/x509/read.js';
import { runActivity } from '../support/activity-run.js';
import { approvedRemoval } from '../support/approved.js';
import { aWorld, booking, type World } from '../support/fakes.js';

const [authority, rotation, target] = ['booking', 'run', 'worker'];

/** Activity by activity, as the workflows run them; returns what the removal says. */
async function rotate(world: World): Promise<string> {
  await runActivity(world, 'preflightCa', { authority }).result;
  const { ca, old } = await runActivity(world, 'issueCa', { authority, rotation }).result;
  await runActivity(world, 'trustCa', { authority, namespace: booking, ca: ca.fingerprint, rotation }).result;
  await runActivity(world, 'proveTrust', { authority, namespace: booking, ca: ca.fingerprint }).result;
  const issued = await runActivity(world, 'issueLeaf', { target, rotation, ca: ca.fingerprint }).result;
  await runActivity(world, 'testConnection', { target, entry: issued.entry }).result;
  const delivery = await runActivity(world, 'updateTarget', { target, entry: issued.entry, rotation }).result;
  await runActivity(world, 'rollOut', { target, delivery }).result;
  await runActivity(world, 'confirmAdoption', { target, delivery }).result;
  await runActivity(world, 'moveSigner', { authority, ca: ca.fingerprint }).result;
  assert.ok(signedBy(world.target.pair!.certificate, ca));
  const lines = old ? await remove(world, { ca: ca.fingerprint, old: old.fingerprint }) : [];
  await runActivity(world, 'finishCa', { authority, ca: ca.fingerprint }).result;
  assert.equal(world.record().current, ca.fingerprint);
  return lines.join('\n');
}

async function remove(world: World, { ca, old }: { ca: string; old: string }): Promise<readonly string[]> {
  const before = await runActivity(world, 'rememberTrust', { authority, namespace: booking, old }).result;
  await runActivity(world, 'markRetiring', { authority, old }).result;
  world.frozenAt = Date.now();
  const next = (await world.keystore.get(entries.ca(authority, ca))) as unknown as KeyPair;
  const run = runActivity(world, 'removeCa', { ...approvedRemoval(world, next), before });
  run.onHeartbeat(({ line }) => {
    if (/^watching/.test(String(line))) world.frozenAt! += 100;
  });
  const { lines } = await run.result;
  assert.deepEqual(world.bundle(), [ca]);
  return lines;
}

describe('safety 9: a rotation needs nothing of the old CA but its certificate', () => {
  it('safety 9: it succeeds when the old key is lost, and says what could not be proved without it', async () => {
    const world = await aWorld();
    const name = entries.ca(authority, world.old.certificate.fingerprint);
    const { key: _lost, ...entry } = world.keystore.entries.get(name)!;
    world.keystore.entries.set(name, entry);
    assert.match(await rotate(world), /Not proved that leaves of CA \w{8} are refused: its key is not held/);
  });

  it('safety 9: it succeeds when the old CA was never held: that stays trusted, as somebody else’s', async () => {
    const world = await aWorld();
    world.keystore.entries.clear();
    assert.equal(await rotate(world), '');
    assert.deepEqual(world.bundle(), [world.old.certificate.fingerprint, world.record().current]);
  });
});
