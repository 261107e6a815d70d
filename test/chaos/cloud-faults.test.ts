import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { status } from '@grpc/grpc-js';
import { withTrust } from '../../src/cloud/namespace-spec.js';
import { failures } from '../../src/domain/failures.js';
import type { CaRotationResult } from '../../src/domain/rotation.js';
import type { CloudFault } from '../../src/sandbox/cloud/control-plane.js';
import type { Ending } from '../../src/sandbox/cloud/store.js';
import { aCa } from '../support/certificates.js';
import { aCloudWorld, type CloudWorld } from '../support/cloud-world.js';
import { caRotated, type CaRotated } from '../support/end-state.js';
import { rootOf, typeOf } from '../support/failures.js';
import { booking } from '../support/fakes.js';
import { Calls } from '../support/locked-out.js';
import { makeServerCertificate, type ServerCertificate } from '../support/server-certificate.js';
import { ca, Slots, type Slot } from '../support/slots.js';

interface Trouble {
  readonly name: string;
  /** Prepares the cloud; what it returns is what the bundle holds in the end beside ours. */
  readonly make: (cloud: CloudWorld) => Promise<CaRotated['others']> | void;
  /** What must hold once the rotation has ended. */
  readonly check?: (cloud: CloudWorld) => void;
  /** Ends it. */
  readonly mend?: (cloud: CloudWorld) => void;
}

/** Every error code of gRPC. */
const codes = Object.values(status).filter((code): code is status => typeof code === 'number' && code !== status.OK);
const whens = ['before', 'after'] as const;
const never = 3_600_000;

describe('a fault at any call of the cloud: the rotation completes, or fails by name with everybody still connected', () => {
  let dir: string;
  let certificate: ServerCertificate;
  let slots: Slots;
  /** How often each method is called in a rotation that nothing disturbs. */
  const calls = new Map<string, number>();
  const total = { injected: 0, completed: 0, resumed: 0, calls: 0, failed: 0 };

  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'cert-rotation-'));
    certificate = makeServerCertificate(dir);
    slots = await Slots.begin();
    const { api } = await survive(slots.all[0]!, { name: 'none', make: () => undefined });
    for (const { method } of api.requests) calls.set(method, (calls.get(method) ?? 0) + 1);
  });
  after(async () => {
    await slots?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  /** A rotation in that trouble; when it fails, it does so by name, and completes when it is started again. */
  async function survive(slot: Slot, trouble: Trouble): Promise<CloudWorld> {
    const cloud = await aCloudWorld(certificate);
    const pods = new Calls(cloud.world);
    try {
      slot.use(cloud.world, cloud.activities());
      const others = (await trouble.make(cloud)) ?? [];
      const failure: unknown = await rotated(slot).catch((error: unknown) => error);
      if (failure) {
        const type = typeOf(failure) ?? '';
        assert.ok(type in failures, `${type} is none of our failures: ${rootOf(failure).message}`);
        trouble.mend?.(cloud);
        cloud.api.faults.splice(0);
        await rotated(slot);
        total.resumed += 1;
      } else total.completed += 1;
      caRotated(cloud.world, { runs: failure ? 2 : 1, others });
      assert.deepEqual(pods.failed.slice(0, 3), []);
      trouble.check?.(cloud);
      return cloud;
    } finally {
      pods.stop();
      total.calls += pods.made;
      total.failed += pods.failed.length;
      await cloud.stop();
    }
  }

  async function rotated(slot: Slot): Promise<void> {
    const { outcome, reason } = (await slot.rotate(ca)) as CaRotationResult;
    assert.equal(outcome, 'rotated', reason);
  }

  async function survivesAll(troubles: readonly Trouble[]): Promise<void> {
    const broken = await slots.each(
      troubles,
      async (slot, trouble) => {
        const cloud = await survive(slot, trouble);
        assert.equal(cloud.api.faults.length, 0, 'was not reached');
        total.injected += 1;
      },
      ({ name }) => name,
    );
    assert.deepEqual(broken, []);
  }

  const failing = (fault: CloudFault): Trouble => ({
    name: `${status[fault.code]} ${fault.when} ${fault.method} (${(fault.skip ?? 0) + 1})`,
    make: ({ api }) => void api.faults.push(fault),
  });

  it('safety 10: every gRPC code at every write, before and after its effect', async () => {
    const method = 'UpdateNamespace';
    const writes = Array.from({ length: calls.get(method)! }, (_, skip) => skip);
    assert.equal(writes.length, 2);
    await survivesAll(
      writes.flatMap((skip) => codes.flatMap((code) => whens.map((when) => failing({ method, code, when, skip })))),
    );
  });

  it('every gRPC code at every other call', async () => {
    // How often it is asked whether an operation has ended depends on time; about each of the two, once at least.
    const certain = (method: string, count: number) => (method === 'GetAsyncOperation' ? 2 : count);
    const troubles = [...calls]
      .filter(([method]) => method !== 'UpdateNamespace')
      .flatMap(([method, count]) => Array.from({ length: certain(method, count) }, (_, skip) => ({ method, skip })))
      .flatMap((call) => codes.map((code) => failing({ ...call, code, when: 'before' })));
    assert.deepEqual([...calls.keys()].toSorted(), [
      'GetAsyncOperation',
      'GetCurrentIdentity',
      'GetNamespace',
      'UpdateNamespace',
    ]);
    await survivesAll(troubles);
  });

  it('an operation that ends FAILED, REJECTED, CANCELLED or without effect', async () => {
    const endings: readonly Ending[] = ['FAILED', 'REJECTED', 'CANCELLED', 'NO_EFFECT'];
    await survivesAll(
      endings.flatMap((ending) =>
        [[ending], ['FULFILLED', ending] as const].map((queue, write) => ({
          name: `write ${write + 1} ends ${ending}`,
          make: ({ store }) => void store.endings.push(...queue),
        })),
      ),
    );
  });

  it('an operation that does not end: it is CloudBusy, retried, and waited for under the same id', async () => {
    const stuck = [1, 2].map((write): Trouble => ({
      name: `write ${write} does not end`,
      make: (cloud) => {
        cloud.operationDeadlineMs = 50;
        const [usual, update] = [cloud.operationMs, cloud.store.update.bind(cloud.store)];
        let [writes, begun] = [0, 0];
        cloud.store.update = (change) => {
          writes += 1;
          begun = cloud.api.requests.length;
          cloud.operationMs = writes === write ? never : usual;
          return update(change);
        };
        const get = cloud.store.get.bind(cloud.store);
        // Who reads the namespace after the write, though its operation has not ended, gave up and began again.
        cloud.store.get = (namespace) => {
          const found = get(namespace);
          const again = cloud.api.requests.slice(begun).some(({ method }) => method === 'GetNamespace');
          if (writes === write && again && found.operation) cloud.store.settle(found.operation);
          return found;
        };
        return undefined;
      },
      check: ({ api }) => assert.equal(api.requests.filter(({ method }) => method === 'UpdateNamespace').length, 2),
    }));
    await survivesAll(stuck);
  });

  it('safety 35: a change that has its effect at the gateway long after its operation ended', async () => {
    await survivesAll([
      {
        name: 'late at the gateway',
        make: (cloud) => {
          cloud.gatewayDelayMs = 700;
        },
      },
    ]);
  });

  it('a lost race: what somebody else changed meanwhile stays, and the removal is approved anew', async () => {
    const races = [0, 1].map((write): Trouble => ({
      name: `race at write ${write + 1}`,
      make: async ({ store, world }) => {
        const theirs = (await aCa({ organization: 'Colleagues' })).certificate;
        const update = store.update.bind(store);
        let writes = 0;
        store.update = (change) => {
          if (writes++ === write) {
            const bundle = [...world.cloud.namespaces.get(booking)!.bundle, theirs];
            store.edit(booking, (spec) => withTrust(spec, { bundle }));
            world.cloud.namespaces.set(booking, { ...world.cloud.namespaces.get(booking)!, bundle });
          }
          return update(change);
        };
        return [theirs.fingerprint];
      },
    }));
    await survivesAll(races);
  });

  it('a rate limit that lasts', async () => {
    const limited = (method: string, skip: number) =>
      failing({ method, code: status.RESOURCE_EXHAUSTED, when: 'before', times: 3, skip });
    await survivesAll([limited('GetNamespace', 4), limited('UpdateNamespace', 0), limited('UpdateNamespace', 1)]);
  });

  it('an API key that expires at any time: once there is a new one, the rotation is taken up again', async () => {
    const expired = (name: string, passed: (method: string) => number): Trouble => ({
      name,
      make: ({ api }) => {
        for (const method of calls.keys())
          api.faults.push({ method, code: status.UNAUTHENTICATED, when: 'before', times: never, skip: passed(method) });
      },
    });
    const at = (method: string, call: number) =>
      expired(`expired at ${method} ${call + 1}`, (name) => (name === method ? call : never));
    await slots
      .each(
        [
          at('GetNamespace', 0),
          at('UpdateNamespace', 0),
          at('GetAsyncOperation', 1),
          at('UpdateNamespace', 1),
          ...[4, 7, 10, 13].map((call) => at('GetNamespace', call)),
        ],
        async (slot, trouble) => {
          await survive(slot, trouble);
          total.injected += 1;
        },
        ({ name }) => name,
      )
      .then((broken) => assert.deepEqual(broken, []));
  });

  it('safety 8: no key of any of these rotations is in a history, heartbeat, record or entry of the keystore', async () =>
    assert.deepEqual(await slots.placesWithKeys(), []));

  it('counts', (test) => {
    assert.equal(total.failed, 0);
    assert.equal(total.completed + total.resumed, total.injected + 1);
    test.diagnostic(`faults injected ${total.injected}, survived ${total.injected}, calls failed ${total.failed}`);
    test.diagnostic(
      `${total.completed} completed, ${total.resumed} when started again; ${total.calls} calls of workers`,
    );
  });
});
