import assert from 'node:assert/strict';
import { createPrivateKey, type KeyObject } from 'node:crypto';
import { describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { generateKey } from '../../src/x509/generate.js';
import { placesWithKeys, scan } from './key-scan.js';

const noise = (bytes: number) => Buffer.from('lorem ipsum '.repeat(bytes)).subarray(0, bytes);
const base64 = (bytes: Buffer) => Buffer.from(bytes.toString('base64'));
const around = (bytes: Buffer, before = 37) => Buffer.concat([noise(before), bytes, noise(41)]);

const encodings: Readonly<Record<string, (key: KeyObject) => Buffer>> = {
  'PKCS#8': (key) => key.export({ type: 'pkcs8', format: 'der' }),
  'PKCS#8 PEM': (key) => Buffer.from(key.export({ type: 'pkcs8', format: 'pem' })),
  'SEC 1 or PKCS#1': (key) =>
    key.export({ type: key.asymmetricKeyType === 'rsa' ? 'pkcs1' : 'sec1', format: 'der' }) as Buffer,
  'the bare scalar': (key) => Buffer.from(key.export({ format: 'jwk' }).d!, 'base64url'),
};

const wrappings: Readonly<Record<string, (bytes: Buffer) => Buffer>> = {
  raw: around,
  'as hex': (bytes) => around(Buffer.from(bytes.toString('hex'))),
  'in base64, offset 0': (bytes) => around(base64(bytes)),
  'in base64, offset 1': (bytes) => around(base64(Buffer.concat([Buffer.from('{'), bytes]))),
  'in base64, offset 2': (bytes) => around(base64(Buffer.concat([Buffer.from('{"'), bytes]))),
  'in base64 of base64': (bytes) => around(base64(around(base64(bytes)))),
  'gzipped, in base64': (bytes) => around(base64(gzipSync(bytes))),
  'in JSON with escaped line ends': (bytes) =>
    Buffer.from(JSON.stringify({ log: `${bytes.toString('base64').replace(/(.{64})/g, '$1\n')}` })),
};

describe('safety 8: the key scan finds a planted key', async () => {
  for (const algorithm of ['P-256', 'P-384', 'RSA-2048'] as const) {
    const key = createPrivateKey((await generateKey(algorithm)).privateKey.reveal());
    const other = createPrivateKey((await generateKey(algorithm)).privateKey.reveal());
    for (const [encoding, encode] of Object.entries(encodings)) {
      for (const [wrapping, wrap] of Object.entries(wrappings)) {
        it(`${algorithm}, ${encoding}, ${wrapping}`, () => {
          const place = { name: 'here', content: wrap(encode(key)) };
          assert.deepEqual(scan([place], [other, key]), ['here']);
          assert.deepEqual(scan([place], [other]), []);
        });
      }
    }
  }
});

describe('safety 8: a key scan that proves nothing fails', async () => {
  const key = createPrivateKey((await generateKey('P-256')).privateKey.reveal());
  const places = [{ name: 'log of a worker', content: noise(100) }];

  it('where no key is known', () => assert.throws(() => placesWithKeys(places, [], [/^log of /]), /no key is known/));

  it('where nothing of a kind of place was seen, or nothing is in it', () => {
    const nothing = { name: 'history of leaf/worker', content: Buffer.alloc(0) };
    for (const seen of [places, [...places, nothing]])
      assert.throws(() => placesWithKeys(seen, [key], [/^log of /, /^history of /]), /nothing seen of .*history/);
  });

  it('and otherwise it names the places', () => {
    const log = { name: 'log of another', content: around(base64(encodings['PKCS#8']!(key))) };
    assert.deepEqual(placesWithKeys(places, [key], [/^log of /]), []);
    assert.deepEqual(placesWithKeys([...places, log], [key], [/^log of /]), ['log of another']);
  });
});
