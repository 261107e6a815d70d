/**
 * All results, as `Promise.all` has them; but a failure is told only once every one has ended. Nothing goes on behind the back of
 * whoever then cleans up: a call of a gRPC client, for instance, that tries again over a connection which was closed meanwhile
 * throws where nobody can catch it.
 */
export async function allEnded<T extends readonly unknown[]>(work: {
  readonly [K in keyof T]: Promise<T[K]>;
}): Promise<T> {
  await Promise.allSettled(work);
  return (await Promise.all(work)) as unknown as T;
}
