import { createPrivateKey } from 'node:crypto';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

/** One place to look: a name for the report, and what is there. */
export interface Place {
  readonly name: string;
  readonly content: Buffer;
}

/** The forms in which a key could show itself: PKCS#8, SEC 1 or PKCS#1, the bare scalar; raw, hex, base64. */
export function needlesOf(pem: string): readonly Buffer[] {
  const key = createPrivateKey(pem);
  const jwk = key.export({ format: 'jwk' });
  const encodings: Buffer[] = [
    key.export({ type: 'pkcs8', format: 'der' }),
    key.export({ type: key.asymmetricKeyType === 'rsa' ? 'pkcs1' : 'sec1', format: 'der' }),
    Buffer.from(jwk.d ?? '', 'base64url'),
  ];
  // A window inside the secret scalar: whole encodings would miss a key that is wrapped in something else.
  const scalar = Buffer.from(jwk.d ?? '', 'base64url');
  return [...encodings, scalar.subarray(4, 28)].flatMap(formsOf);
}

/** Base64 of the same bytes reads differently at each of the three offsets; its middle is what can be searched for. */
function formsOf(bytes: Buffer): Buffer[] {
  const atOffset = (offset: number) => {
    const text = Buffer.concat([Buffer.alloc(offset), bytes]).toString('base64').replaceAll('=', '');
    return text.slice(offset === 0 ? 0 : 4, -4);
  };
  const base64 = [0, 1, 2].map(atOffset);
  const urlSafe = base64.map((text) => text.replaceAll('+', '-').replaceAll('/', '_'));
  const texts = [bytes.toString('hex'), bytes.toString('hex').toUpperCase(), ...base64, ...urlSafe];
  return [bytes, ...texts.map((text) => Buffer.from(text))];
}

/** Names of the places where a key was found; looks into base64 and gzip, one inside the other. */
export function scan(places: readonly Place[], keys: readonly string[]): readonly string[] {
  const needles = keys.flatMap(needlesOf);
  return places
    .filter(({ content }) => unfold(content).some((layer) => needles.some((needle) => layer.includes(needle))))
    .map(({ name }) => name);
}

function unfold(content: Buffer, depth = 0): Buffer[] {
  if (depth > 3) return [content];
  const layers = [content];
  const gzip = content.indexOf(Buffer.from([0x1f, 0x8b, 0x08]));
  if (gzip >= 0) layers.push(...tryUnfold(() => gunzipSync(content.subarray(gzip)), depth));
  const text = content.toString('latin1').replaceAll('\\n', '').replaceAll('\n', '');
  for (const [base64] of text.matchAll(/[A-Za-z0-9+/_-]{40,}={0,2}/g)) {
    layers.push(...tryUnfold(() => Buffer.from(base64, 'base64'), depth));
  }
  return layers;
}

function tryUnfold(decode: () => Buffer, depth: number): Buffer[] {
  try {
    return unfold(decode(), depth + 1);
  } catch {
    return [];
  }
}

/** Every file below a folder, but for those that hold keys by their purpose. */
export async function filesOf(folder: string, except: (path: string) => boolean): Promise<readonly Place[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return Promise.all(paths.filter((path) => !except(path)).map(async (path) => ({ name: path, content: await readFile(path) })));
}
