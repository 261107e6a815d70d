import { resolve } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';

export interface BenchOptions {
  readonly runs: number;
  readonly quick: boolean;
  /** Absent: both. */
  readonly only?: 'rotations' | 'issuing';
  /** Where the report goes, absolute. */
  readonly file: string;
  readonly json: boolean;
}

/** `npm run bench -- …`. Ends the process after `--help` (0) and on bad input (2). */
export function parseOptions(args: readonly string[]): BenchOptions {
  const program = new Command('npm run bench --')
    .description("Measures rotations here against the article's, and leaves per second against other tools")
    .option('--runs <n>', 'how often everything is measured', positive, 3)
    .option('--quick', 'one short run, to see that it works; its numbers mean nothing', false)
    .addOption(new Option('--only <part>', 'measure this part only').choices(['rotations', 'issuing']))
    .option('--file <path>', 'where the report goes, as JSON', 'bench.json')
    .addOption(
      new Option('-o, --output <format>', 'what standard output gets').choices(['text', 'json']).default('text'),
    )
    .option('--json', 'the same as -o json: one line of JSON at the end')
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2))
    .parse(args, { from: 'user' });
  type Parsed = Omit<BenchOptions, 'json'> & { readonly output: 'text' | 'json'; readonly json?: boolean };
  const { runs, quick, only, file, output, json = false } = program.opts<Parsed>();
  return {
    runs: quick ? 1 : runs,
    quick,
    ...(only && { only }),
    file: resolve(file),
    json: json || output === 'json',
  };
}

function positive(text: string): number {
  if (!/^[1-9]\d{0,2}$/.test(text)) throw new InvalidArgumentError('It is a whole number from 1 to 999.');
  return Number(text);
}
