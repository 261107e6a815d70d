/**
 * The commands that a person types, in the output of `examples/article/rotate.sh`: it prints each after a `$`. A command that is
 * repeated until it succeeds counts once. What the script adds to the article (looking whether an operation has ended, waiting
 * for pods) is not printed, and not counted.
 */
export function typedCommands(output: string): readonly string[] {
  const lines = output.split('\n').flatMap((line) => (line.startsWith('$ ') ? [line.slice(2)] : []));
  return [...new Set(lines)];
}
