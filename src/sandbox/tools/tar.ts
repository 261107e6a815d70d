const block = 512;

/** A regular file of a tar archive (POSIX.1-1988 ustar). Throws when it is not in there. */
export function tarMember(archive: Buffer, wanted: string): Buffer {
  for (let at = 0; at + block <= archive.length;) {
    const header = archive.subarray(at, at + block);
    if (header.every((byte) => byte === 0)) break;
    const size = Number.parseInt(field(header, 124, 12), 8);
    const name = [field(header, 345, 155), field(header, 0, 100)].filter(Boolean).join('/');
    const isFile = ['', '0'].includes(field(header, 156, 1));
    if (isFile && name.replace(/^\.\//, '') === wanted) return archive.subarray(at + block, at + block + size);
    at += block + Math.ceil(size / block) * block;
  }
  throw new Error(`the archive holds no file ${wanted}`);
}

function field(header: Buffer, offset: number, length: number): string {
  const bytes = header.subarray(offset, offset + length);
  const end = bytes.indexOf(0);
  return bytes
    .subarray(0, end < 0 ? length : end)
    .toString('utf8')
    .trim();
}
