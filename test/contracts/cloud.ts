import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { status } from '@grpc/grpc-js';
import type { Cloud, NamespaceTrust, WantedTrust } from '../../src/cloud/cloud.js';
import { readTrust, restOf, withTrust } from '../../src/cloud/namespace-spec.js';
import { bytesField, contentOf, fieldsOf, messageOf } from '../../src/cloud/wire.js';
import { planBundle } from '../../src/domain/bundle.js';
import type { CloudIdentity } from '../../src/domain/cloud-key.js';
import type { CertificateFacts } from '../../src/domain/certificate.js';
import { failures, type FailureType } from '../../src/domain/failures.js';
import type { CertificateFilter } from '../../src/domain/filters.js';
import { startCloudApi, type CloudApi } from '../../src/sandbox/cloud/control-plane.js';
import { CloudStore, newSpec, type Ending } from '../../src/sandbox/cloud/store.js';
import { readCertificates } from '../../src/x509/read.js';
import { aCa } from '../support/certificates.js';
import { makeServerCertificate, type ServerCertificate } from '../support/server-certificate.js';

/** The sandbox's Temporal Cloud, and how to reach it. */
export interface CloudSandbox {
  readonly address: string;
  readonly apiKey: string;
  /** Roots of its server certificate. */
  readonly caFile: string;
}

/** One kind of Cloud. */
export interface CloudRow {
  readonly kind: string;
  readonly open: (sandbox: CloudSandbox) => Promise<Cloud>;
  /** The service that this kind writes namespaces with, and the method that it reads an operation with. */
  readonly service: string;
  readonly operationMethod: string;
}

const namespace = 'orders.acct1';
const generation = 'run-1';
const day = 86_400_000;
/** Long enough for an answer that is lost for good, whatever retries a kind has of its own. */
const always = 1000;
const fieldOfTomorrow = 99;
/** How long an operation takes: `untilSettled` ends when the test says so. */
const [soon, untilSettled] = [60, 3_600_000];

/** Only the first call counts. */
function once<T>(work: (value: T) => void): (value: T) => void {
  let done = false;
  return (value) => {
    if (!done) work(value);
    done = true;
  };
}

/** The promises of the port `Cloud`, over the sandbox's Temporal Cloud. */
export function cloudContract({ kind, open, service, operationMethod }: CloudRow): void {
  describe(`cloud ${kind}`, () => {
    let folder: string;
    let certificate: ServerCertificate;
    let [one, two, three, expired, expiredToo]: CertificateFacts[] = [];
    let store: CloudStore;
    let api: CloudApi;
    let cloud: Cloud;
    let operationMs: number;
    /** Runs when an operation has had its effect and does not say so yet. */
    let onEffect: () => void;

    before(async () => {
      folder = mkdtempSync(join(tmpdir(), 'cert-rotation-'));
      certificate = makeServerCertificate(folder);
      const past = new Date(Date.now() - 10 * day);
      const cas = [aCa(), aCa(), aCa(), aCa({ now: past, lifetimeMs: day }), aCa({ now: past, lifetimeMs: day })];
      [one, two, three, expired, expiredToo] = (await Promise.all(cas)).map((ca) => ca.certificate);
    });
    after(() => rmSync(folder, { recursive: true, force: true }));

    beforeEach(async () => {
      operationMs = soon;
      onEffect = () => undefined;
      store = new CloudStore({
        get operationMs() {
          return operationMs;
        },
        onTrust: async () => onEffect(),
      });
      store.create(namespace, newSpec('orders', { bundlePem: one!.pem, filters: [] }));
      api = await startCloudApi({
        store,
        ...certificate,
        mtlsAddressOf: () => 'orders.example:7233',
        checkDurationMs: 20,
      });
      cloud = await opened();
    });
    afterEach(async () => {
      await cloud.close();
      await api.stop();
    });

    const opened = ({ apiKey = api.apiKey } = {}) =>
      open({ address: api.address, apiKey, caFile: certificate.certificateFile });

    const editBundle = (bundle: readonly CertificateFacts[], filters?: readonly CertificateFilter[]) =>
      store.edit(namespace, (spec) => withTrust(spec, { bundle, filters }));

    interface Change {
      readonly add?: readonly CertificateFacts[];
      readonly remove?: readonly CertificateFacts[];
      readonly filters?: readonly CertificateFilter[];
    }

    /** What activities decide with. */
    const planned =
      ({ add = [], remove = [], filters }: Change) =>
      (current: NamespaceTrust): WantedTrust => ({
        bundle: planBundle({
          current: current.bundle,
          add,
          remove: remove.map((ca) => ca.fingerprint),
          now: new Date(),
          leavesInUse: [],
          issuers: new Map(),
        }).bundle,
        filters: filters ?? current.filters,
      });

    const change = (wanted: Change, options: Partial<Parameters<Cloud['changeTrust']>[2]> = {}) =>
      cloud.changeTrust(namespace, planned(wanted), { generation, ...options });

    const spec = () => store.get(namespace).spec;
    const bundle = () => readCertificates(readTrust(spec()).bundlePem).map((ca) => ca.fingerprint);
    const fingerprints = (...cas: (CertificateFacts | undefined)[]) => cas.map((ca) => ca!.fingerprint);
    const writes = () =>
      api.requests.filter((request) => request.method === 'UpdateNamespace' && request.service === service).length;

    /** The failure of that name, as the closed set describes it. */
    const fails = (type: FailureType) => (error: unknown) => {
      const { name, retryable, fix } = error as { name: string; retryable: boolean; fix: string };
      assert.deepEqual({ name, retryable, fix }, { name: type, ...failures[type] });
      return true;
    };

    describe('reading', () => {
      it('tells bundle, filters, endpoint, version and that mTLS is on', async () => {
        editBundle([one!, two!], [{ commonName: 'worker*', organization: 'Acme' }]);
        const { bundle: found, ...rest } = await cloud.readNamespace(namespace);
        assert.deepEqual(fingerprints(...found), fingerprints(one, two));
        assert.deepEqual(rest, {
          namespace,
          resourceVersion: '2',
          filters: [{ commonName: 'worker*', organization: 'Acme' }],
          endpoints: ['orders.example:7233'],
          mtlsEnabled: true,
        });
      });

      it('a bundle is what its DER is, whatever form its PEM has', async () => {
        const form = `# ours\r\n\r\n${one!.pem.replaceAll('\n', '\r\n')}\r\n${two!.pem.trimEnd()}`;
        store.edit(namespace, (current) => withTrust(current, { bundle: [{ ...one!, pem: form }] }));
        assert.deepEqual(fingerprints(...(await cloud.readNamespace(namespace)).bundle), fingerprints(one, two));
        assert.equal((await change({ add: [two!] })).changed, false);
      });

      it('garbage in the bundle is BundleUnreadable, and nothing is written', async () => {
        store.edit(namespace, (current) => withTrust(current, { bundle: [{ ...one!, pem: `${one!.pem}garbage\n` }] }));
        const before = store.get(namespace);
        await assert.rejects(cloud.readNamespace(namespace), fails('BundleUnreadable'));
        await assert.rejects(change({ add: [two!] }), fails('BundleUnreadable'));
        assert.deepEqual([store.get(namespace), writes()], [before, 0]);
      });
    });

    describe('changing', () => {
      it('adds a CA next to the old one, and tells before, after and the operation', async () => {
        const { changed, operationId, before, after } = await change({ add: [two!] });
        assert.deepEqual(bundle(), fingerprints(one, two));
        assert.deepEqual(fingerprints(...before.bundle), fingerprints(one));
        assert.deepEqual(fingerprints(...after.bundle), fingerprints(one, two));
        assert.deepEqual([changed, store.operation(operationId!)?.state], [true, 'FULFILLED']);
      });

      it('nothing to change succeeds unchanged, without a write', async () => {
        const { changed, operationId } = await change({ add: [one!] });
        assert.deepEqual([changed, operationId, writes()], [false, undefined, 0]);
      });

      it('"nothing to change" from the server is a success when the re-read shows what is wanted', async () => {
        const first = { done: false };
        const { changed } = await cloud.changeTrust(
          namespace,
          (current) => {
            if (!first.done) editBundle([one!, two!]);
            first.done = true;
            return planned({ add: [two!] })(current);
          },
          { generation },
        );
        assert.equal(changed, false);
        assert.deepEqual(bundle(), fingerprints(one, two));
      });

      it('all expired CAs leave in the same write: one that stays makes the server refuse every change', async () => {
        editBundle([expired!, one!, expiredToo!]);
        await change({ add: [two!] });
        assert.deepEqual([bundle(), writes()], [fingerprints(one, two), 1]);
      });

      it('spec fields that nobody here knows survive, byte for byte', async () => {
        const before = restOf(spec());
        await change({ add: [two!], filters: [{ commonName: 'worker' }] });
        await change({ remove: [one!], filters: [] });
        assert.equal(restOf(spec()), before);
        const kept = contentOf(fieldsOf(spec()), fieldOfTomorrow);
        assert.equal(Buffer.from(kept!).toString(), 'a field of tomorrow');
      });

      it('the re-read proves it: something else that changed meanwhile is CloudSpecChanged', async () => {
        onEffect = () =>
          store.edit(namespace, (current) => messageOf([...fieldsOf(current), bytesField(98, Buffer.from('new'))]));
        await assert.rejects(change({ add: [two!] }), fails('CloudSpecChanged'));
        assert.deepEqual(bundle(), fingerprints(one, two));
      });

      it('filters are set, kept while only the bundle changes, and cleared', async () => {
        const filters = [{ commonName: 'worker*' }, { organization: 'Acme', organizationalUnit: 'Ops' }];
        await change({ filters });
        assert.deepEqual(readTrust(spec()).filters, filters);
        await change({ add: [two!] });
        assert.deepEqual(readTrust(spec()).filters, filters);
        await change({ filters: [] });
        assert.deepEqual([readTrust(spec()).filters, bundle()], [[], fingerprints(one, two)]);
      });

      it('bundle and filters change together', async () => {
        editBundle([one!, two!]);
        const { changed, after } = await change({ remove: [one!], filters: [{ commonName: 'worker' }] });
        assert.deepEqual([changed, fingerprints(...after.bundle)], [true, fingerprints(two)]);
        assert.deepEqual(readTrust(spec()).filters, [{ commonName: 'worker' }]);
      });

      it('every request carries the version header', async () => {
        await change({ add: [two!] });
        assert.ok(api.requests.length >= 4);
        assert.deepEqual(
          api.requests.filter(({ apiVersion }) => !apiVersion),
          [],
        );
      });
    });

    describe('races', () => {
      const codes: [string, status, string][] = [
        ['FAILED_PRECONDITION', status.FAILED_PRECONDITION, 'the namespace was modified'],
        ['ABORTED', status.ABORTED, 'concurrent update'],
        ['INVALID_ARGUMENT', status.INVALID_ARGUMENT, 'the spec was changed by somebody'],
      ];
      for (const [name, code, details] of codes) {
        it(`a lost race is read and decided again, never overwritten: ${name}`, async () => {
          let decisions = 0;
          const { changed } = await cloud.changeTrust(
            namespace,
            (current) => {
              decisions += 1;
              if (decisions === 1) {
                editBundle([one!, three!]);
                api.faults.push({ method: 'UpdateNamespace', code, details, when: 'before' });
              }
              return planned({ add: [two!] })(current);
            },
            { generation },
          );
          assert.deepEqual([bundle(), decisions, changed], [fingerprints(one, three, two), 2, true]);
        });
      }

      it('the version that was decided on guards the write', async () => {
        const seen: string[] = [];
        await cloud.changeTrust(
          namespace,
          (current) => {
            seen.push(current.resourceVersion);
            if (seen.length === 1) editBundle([one!, three!]);
            return planned({ add: [two!] })(current);
          },
          { generation },
        );
        assert.deepEqual([seen, bundle()], [['1', '2'], fingerprints(one, three, two)]);
      });

      it('a race that is lost again and again is CloudConflict, and nothing was overwritten', async () => {
        await assert.rejects(
          cloud.changeTrust(
            namespace,
            (current) => {
              editBundle([...current.bundle], [{ commonName: `edit of version ${current.resourceVersion}` }]);
              return planned({ add: [two!] })(current);
            },
            { generation },
          ),
          fails('CloudConflict'),
        );
        assert.deepEqual(bundle(), fingerprints(one));
      });

      it("somebody else's operation is waited for, and its outcome is what is decided on", async () => {
        operationMs = untilSettled;
        const { version } = store.get(namespace);
        const theirs = withTrust(spec(), { bundle: [one!, three!] });
        store.update({ namespace, spec: theirs, version: String(version), id: 'theirs' });
        const settleTheirs = (line: string) => {
          assert.match(line, /theirs/);
          operationMs = soon;
          store.settle('theirs');
        };
        await change({ add: [two!] }, { onProgress: once(settleTheirs) });
        assert.deepEqual(bundle(), fingerprints(one, three, two));
      });
    });

    describe('operations', () => {
      it('progress is reported while an operation is waited for', async () => {
        operationMs = untilSettled;
        const named: string[] = [];
        const settleIt = (line: string) => {
          const id = /operation (\w+)/.exec(line)?.[1];
          if (!id) return;
          named.push(id);
          operationMs = soon;
          store.settle(id);
        };
        const { operationId } = await change({ add: [two!] }, { onProgress: settleIt });
        assert.equal(named[0], operationId);
      });

      it('one that never ends is CloudBusy, and the same change sent again waits on for it', async () => {
        operationMs = untilSettled;
        await assert.rejects(change({ add: [two!] }, { operationDeadlineMs: 0 }), fails('CloudBusy'));
        assert.deepEqual(bundle(), fingerprints(one));
        const { operation } = store.get(namespace);
        const settle = (line: string) => {
          assert.ok(line.includes(operation!), line);
          store.settle(operation!);
        };
        await change({ add: [two!] }, { onProgress: once(settle) });
        assert.deepEqual([writes(), bundle()], [1, fingerprints(one, two)]);
      });

      it('an abort ends the wait', async () => {
        operationMs = untilSettled;
        const controller = new AbortController();
        const waiting = change({ add: [two!] }, { signal: controller.signal, onProgress: () => controller.abort() });
        await assert.rejects(waiting, { name: 'AbortError' });
      });

      it('safety 10: add, remove, put back, remove are four operations', async () => {
        const ids: (string | undefined)[] = [];
        for (const step of [{ add: [two!] }, { remove: [two!] }, { add: [two!] }, { remove: [two!] }]) {
          ids.push((await change(step)).operationId);
        }
        assert.equal(new Set(ids).size, 4);
        assert.deepEqual(bundle(), fingerprints(one));
      });

      it('safety 10: the same intent on the same state is the same operation, whoever sends it', async () => {
        operationMs = untilSettled;
        const other = await opened();
        const controller = new AbortController();
        const abandoned = change({ add: [two!] }, { signal: controller.signal, onProgress: () => controller.abort() });
        await assert.rejects(abandoned, { name: 'AbortError' });
        operationMs = soon;
        store.settle(store.get(namespace).operation!);
        await other.changeTrust(namespace, planned({ add: [two!] }), { generation });
        await other.close();
        assert.deepEqual([writes(), bundle()], [1, fingerprints(one, two)]);
      });

      it('safety 10: FULFILLED without the wanted state is a failure, and the retry is a new operation', async () => {
        store.endings.push('NO_EFFECT');
        await assert.rejects(change({ add: [two!] }), fails('CloudWriteNotEffective'));
        assert.equal((await change({ add: [two!] })).changed, true);
        assert.deepEqual([bundle(), writes()], [fingerprints(one, two), 2]);
      });

      for (const ending of ['FAILED', 'REJECTED', 'CANCELLED'] satisfies Ending[]) {
        it(`safety 10: ${ending} is a failure that leaves everything as it was; retried it is a new operation`, async () => {
          const before = store.get(namespace);
          store.endings.push(ending);
          await assert.rejects(change({ add: [two!] }), (error: Error) => {
            assert.match(error.message, new RegExp(ending, 'i'));
            return fails('CloudOperationFailed')(error);
          });
          assert.deepEqual(store.get(namespace), before);
          const { operationId } = await change({ add: [two!] });
          assert.deepEqual([bundle(), store.operation(operationId!)?.state], [fingerprints(one, two), 'FULFILLED']);
        });
      }
    });

    describe('lost answers', () => {
      it('lost after the effect: the operation is found and awaited, not sent twice', async () => {
        api.faults.push({ method: 'UpdateNamespace', code: status.DEADLINE_EXCEEDED, when: 'after' });
        const { changed } = await change({ add: [two!] });
        assert.deepEqual([changed, bundle(), writes()], [true, fingerprints(one, two), 1]);
      });

      it('lost before the effect: nothing was changed, and the retry is the same operation', async () => {
        api.faults.push({ method: 'UpdateNamespace', code: status.DEADLINE_EXCEEDED, when: 'before' });
        const before = store.get(namespace);
        await assert.rejects(change({ add: [two!] }), fails('CloudUnavailable'));
        assert.deepEqual(store.get(namespace), before);
        assert.equal((await change({ add: [two!] })).changed, true);
      });

      it('safety 10: after a lost answer the re-read decides, not the id', async () => {
        api.faults.push({ method: 'UpdateNamespace', code: status.DEADLINE_EXCEEDED, when: 'before' });
        let decisions = 0;
        const { changed } = await cloud.changeTrust(
          namespace,
          (current) => {
            decisions += 1;
            if (decisions === 1) editBundle([one!, three!, two!]);
            return planned({ add: [two!] })(current);
          },
          { generation },
        );
        assert.deepEqual([changed, bundle()], [false, fingerprints(one, three, two)]);
      });
    });

    describe('refusals of ours, whatever a server would say', () => {
      const refused = async (decide: (current: NamespaceTrust) => WantedTrust, type: FailureType) => {
        const before = store.get(namespace);
        await assert.rejects(cloud.changeTrust(namespace, decide, { generation }), fails(type));
        assert.deepEqual([store.get(namespace), writes()], [before, 0]);
      };

      it('no bundle without a CA', () => refused(({ filters }) => ({ bundle: [], filters }), 'WouldLockOut'));

      it('no bundle without a valid CA', () =>
        refused(({ filters }) => ({ bundle: [expired!], filters }), 'WouldLockOut'));

      it('no write while mTLS is not enabled: it would be written back as disabled', async () => {
        store.edit(namespace, (current) => messageOf(fieldsOf(current).filter(({ number }) => number !== 4)));
        await refused(({ filters }) => ({ bundle: [two!], filters }), 'WouldLockOut');
      });

      it('no seventeenth CA', async () => {
        editBundle(await Promise.all(Array.from({ length: 16 }, async () => (await aCa()).certificate)));
        await refused(planned({ add: [two!] }), 'BundleFull');
      });

      it('what the decision refuses is not written', () => refused(planned({ remove: [one!] }), 'WouldLockOut'));
    });

    describe('safety 24: says whose the API key is, when it ends and what it may do', () => {
      const expiryTime = { seconds: Date.parse('2027-01-02T03:04:05Z') / 1000 };
      const roles = { accountAccess: { role: 4 }, namespaceAccesses: { [namespace]: { permission: 1 } } };
      const scoped = { namespace: 'billing.acct1', access: { permission: 3 } };
      const answers: Readonly<Record<string, [answer: object, told: CloudIdentity]>> = {
        'of a service account': [
          {
            serviceAccount: { id: 'one', spec: { name: 'rotation', access: roles } },
            principalApiKey: { spec: { expiryTime } },
          },
          {
            kind: 'service account',
            name: 'rotation',
            keyExpires: '2027-01-02T03:04:05.000Z',
            accountRole: 'finance admin',
            permissions: { [namespace]: 'admin' },
          },
        ],
        'of a service account for one namespace': [
          { serviceAccount: { id: 'one', spec: { name: 'rotation', namespaceScopedAccess: scoped } } },
          { kind: 'service account', name: 'rotation', permissions: { 'billing.acct1': 'read' } },
        ],
        'of a person': [
          { user: { id: 'one', spec: { email: 'ada@example.com', access: { accountAccess: { role: 99 } } } } },
          { kind: 'user', name: 'ada@example.com', accountRole: 'unknown', permissions: {} },
        ],
        'of somebody of whom only the id is told': [
          { serviceAccount: { id: 'one' } },
          { kind: 'service account', name: 'one', permissions: {} },
        ],
      };
      for (const [whose, [identity, told]] of Object.entries(answers))
        it(whose, async () => {
          await cloud.close();
          await api.stop();
          api = await startCloudApi({
            store,
            ...certificate,
            identity,
            mtlsAddressOf: () => 'orders.example:7233',
            checkDurationMs: 20,
          });
          cloud = await opened();
          assert.deepEqual(await cloud.identity(), told);
        });

      it('nobody, where the cloud does not answer that', async () => {
        api.faults.push({ method: 'GetCurrentIdentity', code: status.UNIMPLEMENTED, when: 'before' });
        assert.equal(await cloud.identity(), undefined);
      });

      it('a named failure, where it cannot be asked', async () => {
        api.faults.push({ method: 'GetCurrentIdentity', code: status.UNAVAILABLE, when: 'before', times: always });
        await assert.rejects(cloud.identity(), fails('CloudUnavailable'));
      });
    });

    describe('every error answer is a named failure, and nothing was changed', () => {
      const answers: [string, status, FailureType, string][] = [
        ['forbidden', status.PERMISSION_DENIED, 'CloudForbidden', 'request unauthorized'],
        ['rate limited', status.RESOURCE_EXHAUSTED, 'CloudRateLimited', 'too many requests'],
        ['unavailable', status.UNAVAILABLE, 'CloudUnavailable', 'try again'],
        ['expired key', status.UNAUTHENTICATED, 'CloudUnauthenticated', 'invalid api key'],
        ['not found', status.NOT_FOUND, 'CloudNotFound', 'namespace not found'],
      ];
      for (const [name, code, type, details] of answers) {
        for (const method of ['GetNamespace', 'UpdateNamespace']) {
          it(`${name} on ${method}`, async () => {
            api.faults.push({ method, code, details, when: 'before', times: always });
            const before = store.get(namespace);
            await assert.rejects(change({ add: [two!] }), (error: Error) => {
              assert.ok(error.message.includes(details), error.message);
              return fails(type)(error);
            });
            assert.deepEqual(store.get(namespace), before);
          });
        }
      }

      it('an operation that cannot be read is not said to have changed nothing', async () => {
        operationMs = untilSettled;
        const failing = change(
          { add: [two!] },
          {
            onProgress: () =>
              api.faults.push({
                method: operationMethod,
                code: status.UNAVAILABLE,
                when: 'before',
                times: always,
              }),
          },
        );
        await assert.rejects(failing, (error: Error) => {
          assert.doesNotMatch(error.message, /nothing was changed/i);
          return fails('CloudUnavailable')(error);
        });
      });

      it('a namespace that cannot be read again is not said to be unchanged', async () => {
        onEffect = () =>
          api.faults.push({ method: 'GetNamespace', code: status.UNAVAILABLE, when: 'before', times: always });
        await assert.rejects(change({ add: [two!] }), (error: Error) => {
          assert.doesNotMatch(error.message, /nothing was changed/i);
          return fails('CloudUnavailable')(error);
        });
        assert.deepEqual(bundle(), fingerprints(one, two));
      });

      it('a wrong API key', async () => {
        const stranger = await opened({ apiKey: 'wrong' });
        const before = store.get(namespace);
        const changing = stranger.changeTrust(namespace, planned({ add: [two!] }), { generation });
        await assert.rejects(changing, (error: Error) => {
          assert.doesNotMatch(error.message, /wrong/);
          return fails('CloudUnauthenticated')(error);
        });
        await stranger.close();
        assert.deepEqual(store.get(namespace), before);
      });

      it('a namespace that is not there', () =>
        assert.rejects(cloud.readNamespace('elsewhere.acct1'), fails('CloudNotFound')));

      it('a server that is not there', async () => {
        await api.stop();
        await assert.rejects(cloud.readNamespace(namespace), fails('CloudUnavailable'));
      });

      it('a bundle that the server refuses, in its words', async () => {
        const lone = { bundle: [one!, expired!], filters: [] };
        await assert.rejects(
          cloud.changeTrust(namespace, () => lone, { generation }),
          (error: Error) => {
            assert.match(error.message, /invalid ca certificate: 2 errors occurred/);
            return fails('CloudRejectedBundle')(error);
          },
        );
        assert.deepEqual(bundle(), fingerprints(one));
      });
    });
  });
}
