import { randomInt } from 'node:crypto';
import net from 'node:net';

/**
 * Below the ports that systems hand out by themselves (Linux from 32768, others from 49152): what is free there stays free until
 * its server has started, although other servers and connections take ports of the system's choosing meanwhile.
 */
const [lowest, highest] = [15_000, 32_767];

/** So that two that ask at the same time, and have not begun to listen, do not get the same one. */
const given = new Set<number>();

/** Free loopback ports, all different, and none that this process was given before. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const held: net.Server[] = [];
  while (held.length < count) {
    const port = randomInt(lowest, highest + 1);
    if (given.has(port)) continue;
    const server = await listen(port);
    if (!server) continue;
    given.add(port);
    held.push(server);
  }
  const ports = held.map((server) => (server.address() as net.AddressInfo).port);
  await Promise.all(held.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** Undefined where somebody else has the port. */
function listen(port: number): Promise<net.Server | undefined> {
  const server = net.createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(undefined));
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}

export function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ port, host: '127.0.0.1' });
    const answer = (yes: boolean) => () => {
      socket.destroy();
      resolve(yes);
    };
    socket.once('connect', answer(true)).once('error', answer(false));
  });
}
