import assert from 'node:assert/strict';
import { copyFile, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { ratePerSecond, runIssuing, type IssuingRun } from '../../../src/sandbox/bench/issuing.js';
import { algorithms } from '../../../src/sandbox/bench/leaf.js';
import { createMakers, makerNames, type Maker } from '../../../src/sandbox/bench/makers.js';

const say = (line: string): void => void process.stderr.write(`${line}\n`);

describe('the issuing part of the benchmark, in short', () => {
  let folder: string;
  let makers: readonly Maker[];
  const inherited = process.env['TMPDIR'];
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cert-rotation-test-'));
    makers = await createMakers(say);
    process.env['TMPDIR'] = folder;
  });
  after(async () => {
    if (inherited === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = inherited;
    await rm(folder, { recursive: true, force: true });
  });

  it('measures every tool with every algorithm that it has, and leaves no key behind', async () => {
    const run: IssuingRun = await runIssuing({ say, makers, forMs: 1 });
    const expected = algorithms.flatMap((algorithm) =>
      makerNames.filter((tool) => tool !== 'tcld' || algorithm === 'P-384').map((tool) => [algorithm, tool]),
    );
    assert.deepEqual(
      run.commands.map(({ algorithm, tool }) => [algorithm, tool]),
      expected,
    );
    assert.deepEqual(
      run.inProcess.map(({ algorithm }) => algorithm),
      [...algorithms],
    );
    const rates = [
      ...run.commands.map(({ leavesPerSecond }) => leavesPerSecond),
      ...run.inProcess.flatMap((row) => [row.madePerSecond, row.leavesPerSecond, row.rawPerSecond]),
    ];
    assert.ok(
      rates.every((rate) => rate > 0 && Number.isFinite(rate)),
      rates.join(),
    );
    assert.deepEqual(await readdir(folder), []);
  });

  const [builtin] = makerNames;
  const cheats: [string, Maker['make']][] = [
    ['does nothing', async () => undefined],
    [
      'hands the CA out as leaf',
      async ({ depot, certificate, key }, name) => {
        await copyFile(certificate, join(depot, `${name}.crt`));
        await copyFile(key, join(depot, `${name}.key`));
      },
    ],
  ];
  for (const [what, make] of cheats)
    it(`a tool that ${what} is not counted`, async () => {
      const cheat: Maker = { tool: builtin, commands: 'a cheat', algorithms: ['P-256'], make };
      await assert.rejects(runIssuing({ say, makers: [cheat], forMs: 1 }));
      assert.deepEqual(await readdir(folder), []);
    });
});

describe('a rate', () => {
  it('counts what was done, three times at least', async () => {
    let done = 0;
    const rate = await ratePerSecond(async () => void (done += 1), 0);
    assert.equal(done, 3);
    assert.ok(rate > 0);
  });

  it('is not known when the work fails', async () =>
    assert.rejects(
      ratePerSecond(() => Promise.reject(new Error('no leaf')), 0),
      /no leaf/,
    ));
});
