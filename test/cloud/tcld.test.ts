import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { status } from '@grpc/grpc-js';
import { parse, stringify } from 'yaml';
import type { ChangeOptions, Cloud } from '../../src/cloud/cloud.js';
import { createCloud } from '../../src/cloud/index.js';
import { readTrust, restOf, withTrust } from '../../src/cloud/namespace-spec.js';
import { createSpecMemory } from '../../src/cloud/spec-memory.js';
import { createTcldCloud, type TcldCloudOptions } from '../../src/cloud/tcld.js';
import { bytesField, contentOf, fieldsOf, messageOf } from '../../src/cloud/wire.js';
import { parseConfig } from '../../src/config/load.js';
import type { CertificateFacts } from '../../src/domain/certificate.js';
import { RotationError, failures, type FailureType } from '../../src/domain/failures.js';
import type { StoredEntry } from '../../src/keystore/keystore.js';
import { findTool } from '../../src/sandbox/tools/index.js';
import { readCertificates } from '../../src/x509/read.js';
import { aCa } from '../support/certificates.js';
import { startTestCloud, type TestCloud } from '../support/cloud-sandbox.js';
import { eventually } from '../support/eventually.js';
import { FakeKeystore } from '../support/fakes.js';
import { makeServerCertificate, type ServerCertificate } from '../support/server-certificate.js';

const namespace = 'orders.acct1';
const mtlsAuth = 4;

describe('cloud tcld', () => {
  let folder: string;
  let certificate: ServerCertificate;
  let tcld: string;
  let [one, two]: CertificateFacts[] = [];
  let sandbox: TestCloud;
  const opened: Cloud[] = [];

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'cert-rotation-'));
    certificate = makeServerCertificate(folder);
    tcld = await findTool('tcld', { progress: (line) => process.stderr.write(`${line}\n`) });
    [one, two] = (await Promise.all([aCa(), aCa()])).map((ca) => ca.certificate);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  const start = async (options: { tcldKeepsFields?: boolean } = {}) => {
    sandbox = await startTestCloud({ ...certificate, namespace, bundlePem: one!.pem, ...options });
    // A field that nobody knows inside a message that everybody knows.
    sandbox.store.edit(namespace, (spec) =>
      messageOf(
        fieldsOf(spec).map((field) =>
          field.number === mtlsAuth
            ? bytesField(mtlsAuth, messageOf([...fieldsOf(field.content!), bytesField(98, Buffer.from('inside'))]))
            : field,
        ),
      ),
    );
  };
  beforeEach(() => start());
  afterEach(async () => {
    for (const cloud of opened.splice(0)) await cloud.close();
    await sandbox.api.stop();
  });

  function open(options: Partial<TcldCloudOptions> = {}): Cloud {
    const { address, apiKey } = sandbox.api;
    const common = { address, apiKey, serverRootsFile: certificate.certificateFile, allowFieldLoss: false };
    const cloud = createTcldCloud({ program: { path: tcld }, ...common, ...options });
    opened.push(cloud);
    return cloud;
  }

  const addTwo = (cloud: Cloud, options: Partial<ChangeOptions> = {}) =>
    cloud.changeTrust(namespace, ({ filters }) => ({ bundle: [one!, two!], filters }), {
      generation: 'run-1',
      ...options,
    });

  const spec = () => sandbox.store.get(namespace).spec;
  const bundle = () => readCertificates(readTrust(spec()).bundlePem).map((ca) => ca.fingerprint);
  const added = () => [one!.fingerprint, two!.fingerprint];
  const requests = (service: string, method: string) =>
    sandbox.api.requests.filter((request) => request.service === service && request.method === method).length;
  const fails =
    (type: FailureType, text = /./) =>
    (error: unknown) => {
      const { name, retryable, message } = error as { name: string; retryable: boolean; message: string };
      assert.deepEqual({ name, retryable }, { name: type, retryable: failures[type].retryable });
      assert.match(message, text);
      return true;
    };

  describe('safety 38: what tcld loses of a spec', () => {
    it('is put back through Cloud Ops, and told', async () => {
      const whole = restOf(spec());
      const { notes } = await addTwo(open());
      assert.equal(restOf(spec()), whole);
      assert.deepEqual([bundle(), notes?.length], [added(), 1]);
      assert.match(notes![0]!, /lost the fields 16, 99, 4\.98 .* put back/);
    });

    it('is nothing where the server keeps it: then nothing is written a second time, or told', async () => {
      await sandbox.api.stop();
      await start({ tcldKeepsFields: true });
      const whole = restOf(spec());
      const { notes } = await addTwo(open());
      assert.equal(restOf(spec()), whole);
      assert.deepEqual([notes, requests('CloudService', 'UpdateNamespace')], [undefined, 0]);
    });

    it('would stay unseen when Cloud Ops cannot be read: nothing is written', async () => {
      const fault = { service: 'CloudService', method: 'GetNamespace', code: status.PERMISSION_DENIED } as const;
      sandbox.api.faults.push({ ...fault, when: 'before' });
      await assert.rejects(addTwo(open()), fails('CloudForbidden', /allowFieldLoss/));
      assert.equal(requests('NamespaceService', 'UpdateNamespace'), 0);
    });

    it('is lost where that is allowed: then Cloud Ops is not asked', async () => {
      await addTwo(open({ allowFieldLoss: true }));
      assert.deepEqual([bundle(), contentOf(fieldsOf(spec()), 99)], [added(), undefined]);
      assert.equal(sandbox.api.requests.filter(({ service }) => service === 'CloudService').length, 0);
    });

    it('is named when it cannot be put back', async () => {
      const whole = restOf(spec());
      const fault = { service: 'CloudService', method: 'UpdateNamespace', code: status.PERMISSION_DENIED } as const;
      sandbox.api.faults.push({ ...fault, when: 'before' });
      await assert.rejects(
        addTwo(open()),
        fails('CloudForbidden', /lost the fields 16, 99, 4\.98 .*putting them back failed/),
      );
      assert.notEqual(restOf(spec()), whole);
    });
  });

  describe('safety 38: what tcld loses of a spec is kept in the keystore until it is proved to be there', () => {
    let keystore: FakeKeystore;
    let whole: string;
    beforeEach(() => {
      keystore = new FakeKeystore();
      whole = restOf(spec());
    });
    const remembering = (options: Partial<TcldCloudOptions> = {}) =>
      open({ memory: createSpecMemory(keystore), ...options });
    const kept = () => [...keystore.entries.values()];
    /** Nothing of the first attempt is left but what lies in the keystore. */
    async function dieBeforeMending(): Promise<void> {
      const controller = new AbortController();
      const dying = addTwo(remembering(), { signal: controller.signal, onProgress: () => controller.abort() });
      await assert.rejects(dying, { name: 'AbortError' });
      await eventually(async () => restOf(spec()) !== whole);
    }
    const refusedMending = {
      service: 'CloudService',
      method: 'UpdateNamespace',
      code: status.PERMISSION_DENIED,
    } as const;

    it('only what may be lost, and no longer than that', async () => {
      let entry: StoredEntry | undefined;
      await addTwo(remembering(), { onProgress: () => ([entry = entry] = kept()) });
      const { fields } = entry!.record as { fields: string };
      assert.deepEqual(
        fieldsOf(Buffer.from(fields, 'base64')).map(({ number }) => number),
        [16, 99, mtlsAuth],
      );
      assert.deepEqual([entry!.key, kept()], [undefined, []]);
    });

    it('killed between write and mending: the next change of the namespace puts it back', async () => {
      await dieBeforeMending();
      assert.equal(kept().length, 1);
      const { changed, notes } = await addTwo(remembering(), { generation: 'another rotation' });
      assert.deepEqual([changed, restOf(spec()), kept()], [false, whole, []]);
      assert.match(notes![0]!, /lost the fields 16, 99, 4\.98 .* put back/);
    });

    it('what one namespace lost is not taken for another', async () => {
      await dieBeforeMending();
      const memory = createSpecMemory(keystore);
      const owed = await Promise.all([namespace, 'orders.acct2'].map((name) => memory.recall(name)));
      assert.deepEqual(
        owed.map(({ length }) => length),
        [1, 0],
      );
    });

    it('when the mending fails, too', async () => {
      sandbox.api.faults.push({ ...refusedMending, when: 'before' });
      await assert.rejects(addTwo(remembering()), fails('CloudForbidden', /putting them back failed/));
      assert.equal(kept().length, 1);
      await addTwo(remembering(), { generation: 'another rotation' });
      assert.deepEqual([restOf(spec()), kept()], [whole, []]);
    });

    it('what somebody changed since stays as they want it', async () => {
      await dieBeforeMending();
      const description = bytesField(16, Buffer.from('a new one'));
      sandbox.store.edit(namespace, (damaged) => messageOf([...fieldsOf(damaged), description]));
      const { notes } = await addTwo(remembering());
      assert.equal(Buffer.from(contentOf(fieldsOf(spec()), 16)!).toString(), 'a new one');
      assert.match(notes![0]!, /lost the fields 99, 4\.98 /);
    });

    it('a write that was refused loses nothing: what somebody took away meanwhile does not come back', async () => {
      let first = true;
      const cloud = remembering();
      const { after: changed } = await cloud.changeTrust(
        namespace,
        ({ filters }) => {
          if (first)
            sandbox.store.edit(namespace, (now) => messageOf(fieldsOf(now).filter(({ number }) => number !== 16)));
          first = false;
          return { bundle: [one!, two!], filters };
        },
        { generation: 'run-1' },
      );
      assert.equal(changed.bundle.length, 2);
      assert.deepEqual([contentOf(fieldsOf(spec()), 16), kept()], [undefined, []]);
      assert.ok(contentOf(fieldsOf(spec()), 99));
    });

    it('an operation that failed loses nothing either', async () => {
      sandbox.store.endings.push('FAILED');
      await assert.rejects(addTwo(remembering()), fails('CloudOperationFailed'));
      assert.deepEqual([restOf(spec()), kept()], [whole, []]);
    });

    it('is put back after the change where an expired CA in the bundle has every change refused before', async () => {
      await dieBeforeMending();
      const past = { now: new Date(Date.now() - 20 * 86_400_000), lifetimeMs: 86_400_000 };
      const { certificate: expired } = await aCa(past);
      sandbox.store.edit(namespace, (now) => withTrust(now, { bundle: [one!, expired] }));
      const { notes } = await addTwo(remembering());
      assert.deepEqual([bundle(), restOf(spec()), kept()], [added(), whole, []]);
      assert.match(notes!.at(-1)!, /put back/);
    });

    it('where the keystore does not answer, nothing is written', async () => {
      keystore.create = () => Promise.reject(new RotationError('KeystoreUnavailable', 'The keystore is away.'));
      await assert.rejects(addTwo(remembering()), fails('KeystoreUnavailable'));
      assert.deepEqual([restOf(spec()), requests('NamespaceService', 'UpdateNamespace')], [whole, 0]);
    });

    it('safety 15: an undo does not wait until it can be put back', async () => {
      await dieBeforeMending();
      sandbox.api.faults.push({ ...refusedMending, when: 'before' });
      const putBack = { generation: 'undo', byKeyAlone: true };
      const { notes } = await remembering().changeTrust(
        namespace,
        ({ filters }) => ({ bundle: [two!], filters }),
        putBack,
      );
      assert.deepEqual([bundle(), restOf(spec()), kept()], [[two!.fingerprint], whole, []]);
      assert.match(notes!.join(), /put back/);
    });

    it('safety 15: an undo goes on without the keystore, and says so', async () => {
      keystore.list = () => Promise.reject(new RotationError('KeystoreUnavailable', 'The keystore is away.'));
      const { notes } = await addTwo(remembering(), { byKeyAlone: true });
      assert.deepEqual([bundle(), restOf(spec())], [added(), whole]);
      assert.match(notes!.join(), /is not kept: The keystore is away\..*put back/);
    });
  });

  describe('in the configuration', () => {
    const configured = (cloud: object) => {
      const example = parse(readFileSync('examples/temporal-booking/rotation.yaml', 'utf8')) as object;
      return parseConfig(stringify({ ...example, cloud }), 'rotation.yaml', folder).config.cloud;
    };
    const apiKey = { env: 'UNUSED' };

    it('is a kind like any other', async () => {
      const serverRootsFile = certificate.certificateFile;
      const { address } = sandbox.api;
      const cloud = createCloud(configured({ kind: 'tcld', binary: tcld, apiKey, address, serverRootsFile }), {
        apiKey: sandbox.api.apiKey,
      });
      opened.push(cloud);
      assert.equal((await addTwo(cloud)).changed, true);
    });

    it('safety 26: takes an absolute path and a whole SHA-256', () => {
      const kind = { kind: 'tcld', apiKey };
      assert.throws(() => configured({ ...kind, binary: 'tcld' }), /cloud\.binary: is no absolute path/);
      assert.throws(() => configured({ ...kind, binary: '/tcld', sha256: 'abc' }), /cloud\.sha256: is no SHA-256/);
    });
  });

  describe('the program', () => {
    /** A program of our own in tcld's place; `sha256` vouches for it, because it does not tell its version. */
    function standIn(name: string, source: string) {
      const path = join(folder, name);
      writeFileSync(path, `#!/bin/sh\n${source}\n`, { mode: 0o755 });
      const sha256 = createHash('sha256').update(readFileSync(path)).digest('hex');
      return { path, sha256 };
    }

    it('gets the API key through its environment, never as an argument, and nothing of ours besides', async () => {
      process.env['TEMPORAL_CLOUD_NAMESPACE'] = 'elsewhere';
      const [args, env] = [join(folder, 'args'), join(folder, 'env')];
      const program = standIn('witness', `echo "$@" >> ${args}\nenv >> ${env}\nexec ${tcld} "$@"`);
      try {
        await addTwo(open({ program }));
      } finally {
        delete process.env['TEMPORAL_CLOUD_NAMESPACE'];
      }
      const { apiKey } = sandbox.api;
      assert.ok(
        readFileSync(args, 'utf8').includes('accepted-client-ca set') && !readFileSync(args, 'utf8').includes(apiKey),
      );
      assert.ok(readFileSync(env, 'utf8').includes(`TEMPORAL_CLOUD_API_KEY=${apiKey}`));
      assert.ok(!readFileSync(env, 'utf8').includes('elsewhere'));
    });

    it('killed after its request arrived, the operation is found and awaited', async () => {
      const program = standIn(
        'killed',
        `case "$*" in *ca-certificate*) ${tcld} "$@"; kill -9 $$;; esac; exec ${tcld} "$@"`,
      );
      const { changed } = await addTwo(open({ program }));
      assert.deepEqual([changed, bundle(), requests('NamespaceService', 'UpdateNamespace')], [true, added(), 1]);
    });

    it('safety 26: is not run when it is missing, another file, older, or of no known version', async () => {
      const older = join(folder, 'older');
      const [begin, end] = ['3077af0c9274080241e1c107e6d618e6', 'f932433186182072008242104116d8f2'];
      const modules = 'path\tgithub.com/temporalio/tcld/cmd/tcld\nmod\tgithub.com/temporalio/tcld\tv0.54.1\th1:x=\n';
      writeFileSync(older, Buffer.concat([Buffer.from(begin, 'hex'), Buffer.from(modules), Buffer.from(end, 'hex')]));
      const cases: [TcldCloudOptions['program'], FailureType, RegExp][] = [
        [{ path: join(folder, 'nothing') }, 'ToolMissing', /nothing/],
        [{ path: 'tcld' }, 'ToolMissing', /tcld/],
        [{ path: tcld, sha256: '0'.repeat(64) }, 'ToolUnsuitable', /SHA-256/],
        [{ path: older }, 'ToolUnsuitable', /v0\.54\.1; v0\.55\.0 or newer/],
        [{ path: process.execPath }, 'ToolUnsuitable', /does not tell/],
      ];
      for (const [program, type, text] of cases) {
        await assert.rejects(open({ program }).readNamespace(namespace), fails(type, text));
      }
      assert.equal(sandbox.api.requests.length, 0);
    });

    it('is used as soon as it is there: a refusal is not remembered', async () => {
      const path = join(folder, 'late');
      const cloud = open({ program: { path } });
      await assert.rejects(cloud.readNamespace(namespace), fails('ToolMissing'));
      symlinkSync(tcld, path);
      assert.equal((await cloud.readNamespace(namespace)).bundle.length, 1);
    });

    it('that answers something unknown is a named failure, and nothing is written', async () => {
      const answers = ['', 'hello', '{}', '{\n"resourceVersion": 1}', `$(${tcld} "$@" | sed s/acceptedClientCa/ca/)`];
      for (const [index, answer] of answers.entries()) {
        const program = standIn(`answer-${index}`, `cat <<E\n${answer}\nE`);
        await assert.rejects(addTwo(open({ program })), fails('ToolAnswerUnknown'));
      }
      assert.equal(requests('NamespaceService', 'UpdateNamespace'), 0);
    });

    it('that says something unknown when it writes is a named failure; the next attempt goes by what is there', async () => {
      const program = standIn(
        'odd',
        `${tcld} "$@" | case "$*" in *ca-certificate*) cat > /dev/null; echo odd;; *) cat;; esac`,
      );
      await assert.rejects(addTwo(open({ program })), fails('ToolAnswerUnknown', /odd|unknown/));
      assert.equal((await addTwo(open())).after.bundle.length, 2);
      assert.equal(requests('NamespaceService', 'UpdateNamespace'), 1);
    });

    it('that fails in words of its own is ToolFailed, with the words and without the API key', async () => {
      const program = standIn('failing', 'echo "no luck with $TEMPORAL_CLOUD_API_KEY" >&2; exit 1');
      await assert.rejects(
        open({ program }).readNamespace(namespace),
        fails('ToolFailed', /no luck with \[redacted\]/),
      );
    });
  });
});
