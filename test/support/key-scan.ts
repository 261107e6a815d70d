import assert from 'node:assert/strict';
import { createPrivateKey, type KeyObject } from 'node:crypto';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { constants, inflateRawSync } from 'node:zlib';

/** One place to look: a name for the report, and what is there. */
export interface Place {
  readonly name: string;
  readonly content: Buffer;
}

/** The keys that `record-keys.js` wrote down. */
export async function recordedKeys(file: string): Promise<readonly KeyObject[]> {
  const lines = new Set((await readFile(file, 'utf8')).trim().split('\n'));
  return [...lines].map((line) => createPrivateKey({ key: Buffer.from(line, 'base64'), format: 'der', type: 'pkcs8' }));
}

/**
 * Names of the places where one of the keys was found. Throws where that would be no proof: no key is known, nothing of a kind of
 * place was seen, or a key that is planted is not found.
 * @param kinds what a kind of place is known by: its name
 */
export function placesWithKeys(
  places: readonly Place[],
  keys: readonly KeyObject[],
  kinds: readonly RegExp[],
): readonly string[] {
  assert.ok(keys.length > 0, 'no key is known that could be found');
  for (const kind of kinds)
    assert.ok(
      places.some(({ name, content }) => kind.test(name) && content.length > 0),
      `nothing seen of ${kind}`,
    );
  const planted = { name: 'planted', content: Buffer.from(keys.at(-1)!.export({ type: 'pkcs8', format: 'pem' })) };
  const found = scan([...places, planted], keys);
  assert.equal(found.at(-1), planted.name, 'a planted key was not found');
  return found.slice(0, -1);
}

/** Names of the places where one of the keys was found; looks into base64 and gzip, one inside the other. */
export function scan(places: readonly Place[], keys: readonly KeyObject[]): readonly string[] {
  const finder = finderOf(keys.flatMap(needlesOf));
  return places.filter(({ content }) => layersOf(content).some(finder)).map(({ name }) => name);
}

/**
 * What a key is found by: a window inside its secret number, which is in PKCS#8, SEC 1, PKCS#1 and a JWK alike, and in whatever else a
 * key may be wrapped in; raw, hex, base64.
 */
function needlesOf(key: KeyObject): readonly Buffer[] {
  const { d } = key.export({ format: 'jwk' });
  return formsOf(Buffer.from(d ?? '', 'base64url').subarray(4, 28));
}

/** Base64 of the same bytes reads differently at each of the three offsets; its middle is what can be searched for. */
function formsOf(bytes: Buffer): Buffer[] {
  const atOffset = (offset: number) => {
    const text = Buffer.concat([Buffer.alloc(offset), bytes])
      .toString('base64')
      .replaceAll('=', '');
    return text.slice(offset === 0 ? 0 : 4, -4);
  };
  const base64 = [0, 1, 2].map(atOffset);
  const urlSafe = base64.map((text) => text.replaceAll('+', '-').replaceAll('/', '_'));
  const texts = new Set([bytes.toString('hex'), bytes.toString('hex').toUpperCase(), ...base64, ...urlSafe]);
  return [bytes, ...[...texts].map((text) => Buffer.from(text))];
}

const stride = 8;

/**
 * Looks for thousands of needles in one pass: wherever a needle lies, one of its first eight four-byte windows starts at a
 * multiple of eight; only where such a window is met is the needle compared.
 */
function finderOf(needles: readonly Buffer[]): (haystack: Buffer) => boolean {
  const windows = new Map<number, { needle: Buffer; offset: number }[]>();
  for (const needle of needles) {
    for (let offset = 0; offset < stride; offset += 1) {
      const window = needle.readUInt32LE(offset);
      const candidates = windows.get(window);
      if (candidates) candidates.push({ needle, offset });
      else windows.set(window, [{ needle, offset }]);
    }
  }
  return (haystack) => {
    for (let at = 0; at + 4 <= haystack.length; at += stride) {
      const candidates = windows.get(haystack.readUInt32LE(at));
      const found = candidates?.some(
        ({ needle, offset }) =>
          at >= offset && haystack.subarray(at - offset, at - offset + needle.length).equals(needle),
      );
      if (found) return true;
    }
    return false;
  };
}

const [deepest, shortest] = [3, 24];
/** A gzip header without optional fields (RFC 1952), ten bytes; what follows is raw deflate, and whatever follows that. */
const gzipHeader = Buffer.from([0x1f, 0x8b, 0x08, 0x00]);
const truncated = { finishFlush: constants.Z_SYNC_FLUSH };
const runs = [
  ['hex', /[0-9a-f]{48,}/gi, [0, 1]],
  ['base64', /[A-Za-z0-9+/_-]{40,}/g, [0, 1, 2, 3]],
] as const;

/** The content and everything that is packed in it: hex, base64 (broken into lines or not) and gzip, nested. */
function layersOf(content: Buffer, depth = 0): Buffer[] {
  if (depth > deepest || content.length < shortest) return [content];
  const layers = [content];
  const gzip = content.indexOf(gzipHeader);
  if (gzip >= 0) layers.push(...unpacked(() => inflateRawSync(content.subarray(gzip + 10), truncated), depth));
  const text = content.toString('latin1');
  for (const joined of new Set([text, text.replaceAll('\\n', '').replaceAll('\n', '')])) {
    for (const [encoding, run, alignments] of runs) {
      // Whatever stands right before the text may look like a part of it: every alignment is tried.
      for (const [found] of joined.matchAll(run))
        for (const start of alignments)
          layers.push(...unpacked(() => Buffer.from(found.slice(start), encoding), depth));
    }
  }
  return layers;
}

function unpacked(unpack: () => Buffer, depth: number): Buffer[] {
  try {
    return layersOf(unpack(), depth + 1);
  } catch {
    return [];
  }
}

/** Every file below a folder, but for those that hold keys by their purpose. */
export async function filesOf(folder: string, except: (path: string) => boolean): Promise<readonly Place[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const wanted = paths.filter((path) => !except(path));
  return Promise.all(wanted.map(async (path) => ({ name: path, content: await readFile(path) })));
}
