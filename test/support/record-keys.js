// Preloaded (node --import) into every process of a key scan: appends each private key that node:crypto makes or reads there
// (what programs of others made), as one line of PKCS#8 DER in base64, to the file that RECORD_KEYS_TO names. The scan then looks for the run's actual keys, and the
// product needs no hook for it.
import { appendFileSync } from 'node:fs';
import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import { promisify } from 'node:util';

const file = process.env['RECORD_KEYS_TO'];
if (file) {
  const record = (pair) => {
    const der = pair.privateKey.export({ type: 'pkcs8', format: 'der' });
    appendFileSync(file, `${der.toString('base64')}\n`, { mode: 0o600 });
    return pair;
  };
  const original = {
    async: crypto.generateKeyPair,
    promise: promisify(crypto.generateKeyPair),
    read: crypto.createPrivateKey,
  };
  crypto.generateKeyPair = (type, options, callback) =>
    original.async(type, options, (error, publicKey, privateKey) => {
      if (!error) record({ privateKey });
      callback(error, publicKey, privateKey);
    });
  crypto.generateKeyPair[promisify.custom] = async (type, options) => record(await original.promise(type, options));
  crypto.createPrivateKey = (key) => record({ privateKey: original.read(key) }).privateKey;
  syncBuiltinESMExports();
}
