import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { it } from 'node:test';
import { eventually } from './eventually.js';
import { watchProcesses } from './witness.js';

const server = `require('node:http').createServer((_request, response) => response.end('a metric')).listen(0, '127.0.0.1')`;

it('safety 8: of a process its command line, its environment and its metrics are seen, also once it has ended', async () => {
  const processes = watchProcesses();
  const child = spawn(process.execPath, ['-e', server, 'an argument'], {
    env: { METRICS_ADDRESS: '127.0.0.1:0', SAID: 'in the environment' },
  });
  const seen = async (kind: string) => {
    const place = (await processes.places()).find(({ name }) => name === `${kind} of process ${child.pid}`);
    return place?.content.toString() ?? '';
  };
  try {
    await eventually(async () => (await seen('metrics')) === 'a metric');
  } finally {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  assert.match(await seen('cmdline'), /an argument/);
  assert.match(await seen('environ'), /in the environment/);
  assert.equal(await seen('metrics'), 'a metric');
  await processes.stop();
});
