import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import https, { type RequestOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import { parse, stringify } from 'yaml';
import type { ServerCertificate } from './server-certificate.js';

/** What happens to a call: it gets that status instead of its answer, or none because the connection breaks. */
export interface ApiFault {
  readonly answer: 409 | 429 | 500 | 'broken connection';
  /** Before the API server sees it, or once it has had its effect. */
  readonly when: 'before' | 'after';
}

/** A proxy in front of a real kube-apiserver that spoils each call once: the same method and path only the first time. */
export interface FaultyApiServer {
  /** For the same user as the original one. */
  readonly kubeconfig: string;
  /** Calls that were spoiled, in order: `PATCH /api/v1/namespaces/…`. */
  readonly spoiled: readonly string[];
  /** From now on each call fails so, once. */
  spoilEach(fault: ApiFault): void;
  stop(): void;
}

interface Kubeconfig {
  readonly clusters: [{ readonly cluster: { readonly server: string; readonly 'certificate-authority-data': string } }];
}

export async function startFaultyApiServer(
  original: string,
  { certificateFile, keyFile }: ServerCertificate,
): Promise<FaultyApiServer> {
  const config = parse(readFileSync(original, 'utf8')) as Kubeconfig;
  const { server: upstream, 'certificate-authority-data': ca } = config.clusters[0].cluster;
  const spoiled: string[] = [];
  let fault: ApiFault | undefined;
  let met = new Set<string>();
  const [cert, key] = [readFileSync(certificateFile), readFileSync(keyFile)];
  const server = https.createServer({ cert, key }, (request, response) => {
    const call = `${request.method} ${request.url!.split('?')[0]}`;
    const spoil = fault && !met.has(call) ? fault : undefined;
    if (spoil) {
      met.add(call);
      spoiled.push(call);
    }
    const end = () => {
      if (spoil?.answer === 'broken connection') return void request.socket.destroy();
      response.writeHead(spoil!.answer as number, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ kind: 'Status', reason: 'Planted', message: 'planted' }));
    };
    if (spoil?.when === 'before') return end();
    const options: RequestOptions = {
      method: request.method,
      headers: { ...request.headers, host: new URL(upstream).host },
      ca: Buffer.from(ca, 'base64'),
    };
    const forwarded = https.request(new URL(request.url!, upstream), options, (answer) => {
      if (spoil) return void answer.resume().on('end', end);
      response.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(response);
    });
    forwarded.on('error', () => request.socket.destroy());
    request.pipe(forwarded);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const kubeconfig = `${original}.faulty`;
  const cluster = {
    server: `https://localhost:${port}`,
    'certificate-authority-data': cert.toString('base64'),
  };
  await writeFile(kubeconfig, stringify({ ...config, clusters: [{ ...config.clusters[0], cluster }] }));
  return {
    kubeconfig,
    spoiled,
    spoilEach(next) {
      fault = next;
      met = new Set();
    },
    stop() {
      server.closeAllConnections();
      server.close();
    },
  };
}
