import type { Client } from '@temporalio/client';

/** The server that skips time lists nothing by itself: a client whose lists are these. */
export function listing(client: Client, runs: () => readonly object[] = () => []): Client {
  const list = async function* () {
    yield* runs();
  };
  const workflow = Object.assign(Object.create(client.workflow) as object, { list });
  return Object.assign(Object.create(client) as Client, { workflow });
}
