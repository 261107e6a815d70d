import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { status } from '@grpc/grpc-js';
import type { CaRotationResult } from '../../src/domain/rotation.js';
import { failures } from '../../src/domain/failures.js';
import { aCloudWorld } from './cloud-world.js';
import { caRotated } from './end-state.js';
import { rootOf, typeOf } from './failures.js';
import { Killer } from './killer.js';
import { Calls } from './locked-out.js';
import type { ServerCertificate } from './server-certificate.js';
import { ca, type Slot, type Slots } from './slots.js';

export interface Soak {
  readonly slots: Slots;
  readonly certificate: ServerCertificate;
  /** Of the first rotation; each after it has the next. */
  readonly seed: number;
  /** Asked before each rotation. */
  readonly goesOn: (done: number) => boolean;
  readonly progress?: (line: string) => void;
}

export interface SoakCounts {
  rotations: number;
  kills: number;
  faults: number;
  /** Runs that failed by name, and were started again. */
  resumed: number;
  /** Of workers. */
  calls: number;
  failed: number;
  /** Where a key was found that must not be there. */
  readonly leaks: string[];
}

const methods = ['GetNamespace', 'UpdateNamespace', 'GetAsyncOperation', 'GetCurrentIdentity'] as const;
const codes = Object.values(status).filter((code): code is status => typeof code === 'number' && code !== status.OK);
/** Then nothing more goes wrong: it has to come to its end. */
const worstRuns = 4;

/** One CA rotation after the other, each with kills and faults of its own, until one ends otherwise than it must. */
export async function soak({ slots, certificate, seed, goesOn, progress }: Soak): Promise<SoakCounts> {
  const counts: SoakCounts = { rotations: 0, kills: 0, faults: 0, resumed: 0, calls: 0, failed: 0, leaks: [] };
  let next = seed;
  let failed = false;
  const lives = slots.all.map(async (slot) => {
    while (!failed && goesOn(next - seed)) {
      const own = next++;
      try {
        await live(slot, certificate, own, counts);
        counts.leaks.push(...(await slot.placesWithKeys()));
      } catch (error) {
        failed = true;
        const again = `npm run test:soak -- --seed ${own} --rotations 1`;
        throw new Error(`seed ${own}: ${(error as Error).message}\nAgain: ${again}`, { cause: error });
      }
      progress?.(`seed ${own}: ${counts.rotations} rotations, ${counts.kills} kills, ${counts.faults} faults`);
    }
  });
  // Whoever is under way comes to an end before the server does.
  const broken = (await Promise.allSettled(lives)).find((life) => life.status === 'rejected');
  if (broken) throw broken.reason;
  return counts;
}

async function live(slot: Slot, certificate: ServerCertificate, seed: number, counts: SoakCounts): Promise<void> {
  const chance = dice(seed);
  const killer = new Killer((place) => killer.struck < 3 && chance(place) < 0.04);
  const cloud = await aCloudWorld(certificate, (channel) => ({
    close: () => channel.close(),
    call: (method, request) => {
      const send = () => channel.call(method, request);
      return method === 'UpdateNamespace' ? killer.request('the cloud is changed', send) : send();
    },
  }));
  const pods = new Calls(cloud.world);
  const planned = Math.floor(chance('how many') * 5);
  for (let one = 0; one < planned; one += 1)
    cloud.api.faults.push({
      method: methods[Math.floor(chance(`method ${one}`) * methods.length)]!,
      code: codes[Math.floor(chance(`code ${one}`) * codes.length)]!,
      when: chance(`when ${one}`) < 0.5 ? 'before' : 'after',
      skip: Math.floor(chance(`skip ${one}`) * 6),
      times: 1 + Math.floor(chance(`times ${one}`) * 2),
    });
  cloud.gatewayDelayMs = chance('gateway') < 0.3 ? Math.floor(chance('delay') * 500) : 0;
  if (chance('ending') < 0.3)
    cloud.store.endings.push(
      ...(chance('which') < 0.5 ? (['FAILED'] as const) : (['FULFILLED', 'NO_EFFECT'] as const)),
    );
  slot.use(cloud.world, killer.activities(cloud.world));
  let spared = 0;
  try {
    let runs = 1;
    for (; !(await rotated(slot)); runs += 1) if (runs === worstRuns) spared = cloud.api.faults.splice(0).length;
    caRotated(cloud.world, { runs });
    assert.deepEqual(pods.failed.slice(0, 3), []);
    counts.resumed += runs - 1;
  } finally {
    pods.stop();
    await cloud.stop();
  }
  counts.rotations += 1;
  counts.kills += killer.struck;
  counts.faults += planned - spared - cloud.api.faults.length;
  counts.calls += pods.made;
  counts.failed += pods.failed.length;
}

/** False when it failed, which it may by name only. */
async function rotated(slot: Slot): Promise<boolean> {
  try {
    return ((await slot.rotate(ca)) as CaRotationResult).outcome === 'rotated';
  } catch (error) {
    const type = typeOf(error) ?? '';
    assert.ok(type in failures, `${type} is none of our failures: ${rootOf(error).message}`);
    return false;
  }
}

/** Numbers from 0 to 1, the same for the same seed and name. */
function dice(seed: number): (name: string) => number {
  return (name) => createHash('sha256').update(`${seed} ${name}`).digest().readUInt32BE() / 2 ** 32;
}
