import { startApiProxy, type ApiProxy, type Spoil } from './api-proxy.js';
import type { ServerCertificate } from './server-certificate.js';

/** What happens to a call: it gets that status instead of its answer, or none because the connection breaks. */
export interface ApiFault {
  readonly answer: Extract<Spoil, string> | 409 | 429 | 500;
  /** Before the API server sees it, or once it has had its effect. */
  readonly when: 'before' | 'after';
}

/** A proxy in front of a real kube-apiserver that spoils each call once: the same method and path only the first time. */
export interface FaultyApiServer extends ApiProxy {
  /** Calls that were spoiled, in order: `PATCH /api/v1/namespaces/…`. */
  readonly spoiled: readonly string[];
  /** From now on each call fails so, once. */
  spoilEach(fault: ApiFault): void;
}

export async function startFaultyApiServer(original: string, certificate: ServerCertificate): Promise<FaultyApiServer> {
  const spoiled: string[] = [];
  let fault: ApiFault | undefined;
  let met = new Set<string>();
  const proxy = await startApiProxy(original, {
    certificate,
    file: `${original}.faulty`,
    fateOf(call) {
      if (!fault || met.has(call)) return {};
      met.add(call);
      spoiled.push(call);
      const { answer, when } = fault;
      return when === 'before' ? { onArrival: answer } : { beforeTheAnswer: () => answer };
    },
  });
  return {
    ...proxy,
    spoiled,
    spoilEach(next) {
      fault = next;
      met = new Set();
    },
  };
}
