/** Of one number over several runs. Of two middle values the median is their mean. */
export interface Statistic {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

/** Throws when there are no values: a statistic of nothing would be a lie. */
export function statistic(values: readonly number[]): Statistic {
  if (values.length === 0) throw new Error('no values to make a statistic of');
  const sorted = values.toSorted((a, b) => a - b);
  const at = (index: number) => sorted[index]!;
  const middle = (sorted.length - 1) / 2;
  return { min: at(0), median: (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2, max: at(sorted.length - 1) };
}
