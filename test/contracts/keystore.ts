import assert from 'node:assert/strict';
import { before, it } from 'node:test';
import type { Keystore } from '../../src/keystore/keystore.js';
import type { KeyPair } from '../../src/x509/pair.js';
import { aCa } from '../support/certificates.js';

/** What every kind of keystore promises (src/keystore/keystore.ts). `open` makes it anew, as another process would. */
export function keystoreContract(open: () => Keystore): void {
  const owner = 'leaf/worker';
  let [one, other]: KeyPair[] = [];
  before(async () => {
    [one, other] = await Promise.all([aCa(), aCa()]);
  });

  it('gives back what was stored: record, certificate, key, owner and expiry', async () => {
    const expiresAt = '2030-01-01T00:00:00.000Z';
    const chain = [other!.certificate];
    await open().create('contract.whole', { ...one!, chain, record: { of: ['any', 1] }, owner, expiresAt });
    const { key, version, ...entry } = (await open().get('contract.whole'))!;
    assert.deepEqual(entry, {
      name: 'contract.whole',
      record: { of: ['any', 1] },
      certificate: one!.certificate,
      chain,
      owner,
      expiresAt,
    });
    assert.equal(key?.reveal(), one!.key.reveal());
    assert.ok(version);
  });

  it('knows no entry that was never stored', async () => assert.equal(await open().get('contract.nothing'), undefined));

  it('create leaves an entry alone that is there already: KeystoreConflict', async () => {
    await open().create('contract.first', { ...one!, owner });
    await assert.rejects(open().create('contract.first', { ...other!, owner }), { type: 'KeystoreConflict' });
    assert.equal((await open().get('contract.first'))?.key?.reveal(), one!.key.reveal());
  });

  it('of two creations at once, one wins and the other learns of it', async () => {
    const results = await Promise.allSettled(
      [one!, other!].map((pair) => open().create('contract.race', { ...pair, owner })),
    );
    assert.deepEqual(results.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
  });

  it('update replaces what was read, and only that: KeystoreConflict', async () => {
    const { version } = await open().create('contract.changing', { record: 1, owner });
    const updated = await open().update('contract.changing', { record: 2, owner }, version);
    await assert.rejects(open().update('contract.changing', { record: 3, owner }, version), {
      type: 'KeystoreConflict',
    });
    assert.deepEqual(await open().get('contract.changing'), updated);
    assert.equal(updated.record, 2);
  });

  it('an entry that went away, or was made anew, is not the one that was read: KeystoreConflict', async () => {
    const { version } = await open().create('contract.gone', { record: 1, owner });
    await open().delete('contract.gone');
    await assert.rejects(open().update('contract.gone', { record: 2, owner }, version), { type: 'KeystoreConflict' });
    await open().create('contract.gone', { record: 3, owner });
    await assert.rejects(open().update('contract.gone', { record: 2, owner }, version), { type: 'KeystoreConflict' });
  });

  it('an update without a key destroys the key', async () => {
    const { version } = await open().create('contract.keyless', { ...one!, owner });
    await open().update('contract.keyless', { certificate: one!.certificate, owner }, version);
    assert.equal((await open().get('contract.keyless'))?.key, undefined);
  });

  it('delete removes the entry, and is content when there is none', async () => {
    await open().create('contract.short', { ...one!, owner });
    await open().delete('contract.short');
    await open().delete('contract.short');
    assert.equal(await open().get('contract.short'), undefined);
  });

  it('safety 6: lists owner and expiry of the entries of a prefix, without keys', async () => {
    const expiresAt = '2030-01-01T00:00:00.000Z';
    await open().create('listed.a', { ...one!, owner: 'leaf/a', expiresAt });
    await open().create('listed.b', { record: {}, owner: 'authority/b' });
    const listed = [...(await open().list('listed.'))].sort((a, b) => a.name.localeCompare(b.name));
    assert.deepEqual(listed, [
      { name: 'listed.a', owner: 'leaf/a', expiresAt },
      { name: 'listed.b', owner: 'authority/b' },
    ]);
  });
}
