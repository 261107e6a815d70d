import { createReadStream, createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { extract } from 'tar-stream';

/** Writes regular files of a tar.gz, by their paths in it, as executables. Throws when one of them is not in there. */
export async function unpack(archive: string, files: ReadonlyMap<string, string>): Promise<void> {
  const missing = new Map(files);
  const entries = extract();
  const reading = pipeline(createReadStream(archive), createGunzip(), entries);
  const writing = (async () => {
    for await (const entry of entries) {
      const name = entry.header.name.replace(/^\.\//, '');
      const file = entry.header.type === 'file' ? missing.get(name) : undefined;
      if (file === undefined) {
        entry.resume();
        continue;
      }
      await pipeline(entry, createWriteStream(file, { mode: 0o755 }));
      missing.delete(name);
    }
  })();
  await Promise.all([reading, writing]);
  if (missing.size > 0) throw new Error(`the archive holds no file ${[...missing.keys()].join(', ')}`);
}
