import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import https, { type RequestOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import { parse, stringify } from 'yaml';
import type { ServerCertificate } from './server-certificate.js';

/** What a call gets instead of its answer: a status, or a connection that breaks. */
export type Spoil = number | 'broken connection';

/** What becomes of one call. */
export interface CallFate {
  /** The API server never sees it. */
  readonly onArrival?: Spoil | undefined;
  /** Asked once it has had its effect. */
  beforeTheAnswer?(): Spoil | undefined;
}

/** A proxy in front of a real kube-apiserver. */
export interface ApiProxy {
  /** For the same user as the original one. */
  readonly kubeconfig: string;
  stop(): void;
}

interface Kubeconfig {
  readonly clusters: [{ readonly cluster: { readonly server: string; readonly 'certificate-authority-data': string } }];
}

export interface ApiProxyOptions {
  readonly certificate: ServerCertificate;
  /** The kubeconfig is written to. */
  readonly file: string;
  /** Asked of each call, once: `PATCH /api/v1/namespaces/…`, without its query. */
  readonly fateOf: (call: string) => CallFate;
}

/** @param original kubeconfig of the API server itself */
export async function startApiProxy(
  original: string,
  { certificate, file, fateOf }: ApiProxyOptions,
): Promise<ApiProxy> {
  const config = parse(readFileSync(original, 'utf8')) as Kubeconfig;
  const { server: upstream, 'certificate-authority-data': ca } = config.clusters[0].cluster;
  const [cert, key] = [readFileSync(certificate.certificateFile), readFileSync(certificate.keyFile)];
  const server = https.createServer({ cert, key }, (request, response) => {
    const fate = fateOf(`${request.method} ${request.url!.split('?')[0]}`);
    const end = (spoil: Spoil) => {
      if (spoil === 'broken connection') return void request.socket.destroy();
      response.writeHead(spoil, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ kind: 'Status', reason: 'Planted', message: 'planted' }));
    };
    if (fate.onArrival) return end(fate.onArrival);
    const options: RequestOptions = {
      method: request.method,
      headers: { ...request.headers, host: new URL(upstream).host },
      ca: Buffer.from(ca, 'base64'),
    };
    const forwarded = https.request(new URL(request.url!, upstream), options, (answer) => {
      const spoil = fate.beforeTheAnswer?.();
      if (spoil) return void answer.resume().on('end', () => end(spoil));
      response.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(response);
    });
    forwarded.on('error', () => request.socket.destroy());
    request.pipe(forwarded);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const cluster = { server: `https://localhost:${port}`, 'certificate-authority-data': cert.toString('base64') };
  const kubeconfig = stringify({ ...config, clusters: [{ ...config.clusters[0], cluster }] });
  await writeFile(file, kubeconfig, { mode: 0o600 });
  return {
    kubeconfig: file,
    stop() {
      server.closeAllConnections();
      server.close();
    },
  };
}
