import { generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';
import type { KeyAlgorithm } from '../issuers/issuer.js';
import { PrivateKey } from './private-key.js';

const generate = promisify(generateKeyPair);

/** A new private key, made by node:crypto off the main thread. */
export async function generateKey(algorithm: KeyAlgorithm): Promise<PrivateKey> {
  switch (algorithm) {
    case 'P-256':
    case 'P-384':
      return new PrivateKey((await generate('ec', { namedCurve: algorithm })).privateKey);
    case 'RSA-2048':
    case 'RSA-3072':
    case 'RSA-4096':
      return new PrivateKey((await generate('rsa', { modulusLength: Number(algorithm.slice(4)) })).privateKey);
  }
}
