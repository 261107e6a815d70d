import type { KeyPair } from '../x509/pair.js';
import { readCertificate } from '../x509/read.js';
import { issuedCa, issuedLeaf } from './issued.js';
import type { Issuer } from './issuer.js';
import { makeCa, makeLeaf, type Made } from './make.js';

/** Issuer `builtin`: node:crypto makes keys and signs. What it made is read back and checked like that of any program. */
export function createBuiltinIssuer(): Issuer {
  return {
    createCa: async (request) => issuedCa(readBack(await makeCa(request)), request),
    issueLeaf: async (ca, request) => issuedLeaf(readBack(await makeLeaf(ca, request)), ca, request),
  };
}

const readBack = ({ pem, key }: Made): KeyPair => ({ certificate: readCertificate(pem), key });
