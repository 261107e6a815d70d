import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { entries } from '../../src/domain/ids.js';
import { keepFirstCa } from '../../src/keystore/first-ca.js';
import { aCa } from '../support/certificates.js';
import { aCaUnder } from '../support/chains.js';
import { FakeKeystore } from '../support/fakes.js';

const authority = 'booking';
const provenance = { importedAt: '2026-01-01T00:00:00.000Z' };

describe('keepFirstCa', () => {
  let keystore: FakeKeystore;
  beforeEach(() => {
    keystore = new FakeKeystore();
  });
  const record = async () => (await keystore.get(entries.authority(authority)))?.record;

  it('makes it current and signing; the pair is kept with its chain', async () => {
    const ca = await aCaUnder(await aCaUnder(undefined));
    const { fingerprint } = ca.certificate;
    await keepFirstCa(keystore, { authority, ca });
    assert.deepEqual(await record(), { generation: 1, current: fingerprint, signing: fingerprint });
    const entry = (await keystore.get(entries.ca(authority, fingerprint)))!;
    assert.deepEqual([entry.certificate, entry.chain, entry.owner], [ca.certificate, ca.chain, 'authority/booking']);
    assert.equal(entry.key?.reveal(), ca.key.reveal());
  });

  it('safety 3: an imported one is marked: copies of its key exist', async () => {
    const ca = await aCa();
    await keepFirstCa(keystore, { authority, ca, provenance });
    assert.deepEqual((await keystore.get(entries.ca(authority, ca.certificate.fingerprint)))?.record, provenance);
  });

  it('twice is once; what an attempt left half done is brought to its end', async () => {
    const ca = await aCa();
    const owner = 'authority/booking';
    await keystore.create(entries.ca(authority, ca.certificate.fingerprint), { ...ca, record: provenance, owner });
    await keepFirstCa(keystore, { authority, ca, provenance });
    const before = await record();
    await keepFirstCa(keystore, { authority, ca, provenance });
    assert.deepEqual(await record(), before);
  });

  it('says that it begins before its first write, once, and never where it is refused', async () => {
    const ca = await aCa();
    const began: number[] = [];
    const begins = () => void began.push(keystore.entries.size);
    assert.equal(await keepFirstCa(keystore, { authority, ca, begins }), true);
    assert.equal(await keepFirstCa(keystore, { authority, ca, begins }), false);
    await assert.rejects(keepFirstCa(keystore, { authority, ca: await aCa(), begins }), { type: 'AuthorityExists' });
    assert.deepEqual(began, [0]);
  });

  it('an authority that has a CA, or makes one, keeps it: AuthorityExists', async () => {
    await keepFirstCa(keystore, { authority, ca: await aCa() });
    await assert.rejects(keepFirstCa(keystore, { authority, ca: await aCa() }), { type: 'AuthorityExists' });
    await keystore.create(entries.authority('other'), {
      record: { generation: 1, next: 'x', signing: 'x' },
      owner: 'authority/other',
    });
    const names = [...keystore.entries.keys()];
    await assert.rejects(keepFirstCa(keystore, { authority: 'other', ca: await aCa() }), { type: 'AuthorityExists' });
    assert.deepEqual([...keystore.entries.keys()], names);
  });
});
