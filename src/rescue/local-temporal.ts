import net from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { Connection } from '@temporalio/client';
import { commandFailure, startProgram, type Program, type StartedProgram } from '../command.js';
import { RotationError } from '../domain/failures.js';
import { assertSuitable, temporalProgram } from '../program-version.js';

/** A Temporal of our own, on loopback and in memory: it holds no key and is gone when it is stopped. */
export interface LocalTemporal {
  readonly address: string;
  stop(): Promise<void>;
}

const readyWithinMs = 60_000;

/** Throws ToolMissing or ToolUnsuitable for the program, ToolFailed when it does not get ready. */
export async function startLocalTemporal(program: Program, namespace: string): Promise<LocalTemporal> {
  await assertSuitable(program, temporalProgram);
  const port = await freePort();
  const started = startProgram({
    program,
    args: [
      'server',
      'start-dev',
      '--headless',
      '--ip=127.0.0.1',
      `--port=${port}`,
      `--namespace=${namespace}`,
      '--search-attribute=RotationPhase=Keyword',
      '--search-attribute=RotationSubject=Keyword',
      '--log-level=error',
    ],
    // The Temporal CLI wants a home that is a folder.
    env: { HOME: '/' },
  });
  const server = await started.catch((error: unknown) => {
    throw commandFailure('Starting a Temporal of our own', error);
  });
  const address = `127.0.0.1:${port}`;
  try {
    await Promise.race([untilReady(address, namespace), goneEarly(server)]);
  } catch (error) {
    await server.stop();
    throw error;
  }
  return { address, stop: () => server.stop() };
}

async function untilReady(address: string, namespace: string): Promise<void> {
  const deadline = Date.now() + readyWithinMs;
  for (;;) {
    try {
      const connection = await Connection.connect({ address, connectTimeout: 2000 });
      try {
        await connection.workflowService.describeNamespace({ namespace });
        return;
      } finally {
        await connection.close();
      }
    } catch (error) {
      if (Date.now() > deadline)
        throw new RotationError('ToolFailed', `The Temporal of our own is not ready: ${(error as Error).message}`);
      await wait(100);
    }
  }
}

async function goneEarly({ gone, said }: StartedProgram): Promise<never> {
  await gone;
  throw new RotationError('ToolFailed', `The Temporal of our own ended at once: ${said()}`);
}

function freePort(): Promise<number> {
  const server = net.createServer();
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as net.AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
