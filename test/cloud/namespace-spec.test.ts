import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import fc from 'fast-check';
import { readTrust, restOf, withTrust } from '../../src/cloud/namespace-spec.js';
import { bytesField, fieldsOf, messageOf, type Field } from '../../src/cloud/wire.js';
import type { CertificateFacts } from '../../src/domain/certificate.js';
import { aCa } from '../support/certificates.js';

const mtlsAuth = 4;
const enabled = fieldsOf(Uint8Array.from([3 << 3, 1]));

describe('the spec of a namespace', () => {
  let ca: CertificateFacts;
  before(async () => {
    ca = (await aCa()).certificate;
  });

  const content = fc.uint8Array({ maxLength: 40 });
  const unknown = (least: number) =>
    fc.array(fc.record({ number: fc.integer({ min: least, max: 3000 }), content }), { maxLength: 5 });
  const varint: Field[] = [...fieldsOf(Uint8Array.from([3 << 3, 0x96, 0x01]))];
  const specs = fc.record({ outer: unknown(5), inner: unknown(5) }).map(({ outer, inner }) => {
    const fields = (some: typeof outer) => some.map(({ number, content: bytes }) => bytesField(number, bytes));
    const auth = bytesField(mtlsAuth, messageOf([...enabled, ...fields(inner)]));
    return messageOf([...varint, auth, ...fields(outer)]);
  });
  const filters = fc.uniqueArray(fc.record({ commonName: fc.string({ minLength: 1 }) }, { noNullPrototype: true }), {
    maxLength: 3,
    selector: ({ commonName }) => commonName.toLowerCase(),
  });

  it('other bundle, other filters, every other byte as it was: fields of any number, inside mtls_auth too', () => {
    fc.assert(
      fc.property(specs, filters, (spec, wanted) => {
        const changed = withTrust(spec, { bundle: [ca], filters: wanted });
        assert.equal(restOf(changed), restOf(spec));
        assert.deepEqual(readTrust(changed), { bundlePem: ca.pem, filters: wanted, enabled: true });
        assert.deepEqual(readTrust(withTrust(changed, { bundle: [] })).filters, wanted);
      }),
    );
  });

  it('a filter that stays keeps every byte, fields that nobody here knows included', () => {
    const named = (name: string) => bytesField(1, Buffer.from(name));
    const filter = (name: string, bytes: Uint8Array) => bytesField(2, messageOf([named(name), bytesField(9, bytes)]));
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.string({ minLength: 1 }), {
          minLength: 2,
          maxLength: 4,
          selector: (name) => name.toLowerCase(),
        }),
        content,
        (names, bytes) => {
          const [gone, ...stay] = names as [string, ...string[]];
          const spec = messageOf([
            bytesField(mtlsAuth, messageOf([...enabled, ...names.map((name) => filter(name, bytes))])),
          ]);
          const wanted = [...stay, `${gone}${gone} new`].map((commonName) => ({ commonName }));
          const changed = withTrust(spec, { bundle: [ca], filters: wanted });
          const auth = fieldsOf(fieldsOf(changed).find(({ number }) => number === mtlsAuth)!.content!);
          const written = auth.filter(({ number }) => number === 2).map(({ raw }) => Buffer.from(raw).toString('hex'));
          const kept = stay.map((name) => Buffer.from(filter(name, bytes).raw).toString('hex'));
          assert.deepEqual(written.slice(0, -1), kept);
          assert.deepEqual(readTrust(changed).filters, wanted);
        },
      ),
    );
  });

  it('what is lost, added or altered is seen', () => {
    fc.assert(
      fc.property(specs, fc.integer({ min: 5, max: 3000 }), content, (spec, number, bytes) => {
        const more = messageOf([...fieldsOf(spec), bytesField(number, bytes)]);
        assert.notEqual(restOf(more), restOf(spec));
      }),
    );
  });

  it('a server of before v0.2.0 gets the base64 string that it reads, too', () => {
    const base64 = (text: string) => Buffer.from(Buffer.from(text).toString('base64'));
    const old = bytesField(mtlsAuth, messageOf([...enabled, bytesField(1, base64('old'))])).raw;
    assert.equal(readTrust(old).bundlePem, 'old');
    const [auth] = fieldsOf(withTrust(old, { bundle: [ca] }));
    const field = fieldsOf(auth!.content!).find(({ number }) => number === 1);
    assert.deepEqual(field?.content && Buffer.from(field.content), base64(ca.pem));
  });
});
