import { z } from 'zod';
import { secretReference } from '../config/fields.js';
import { resolveSecret } from '../config/references.js';
import { RotationError } from '../domain/failures.js';
import { isTlsFailure } from './tls.js';

/** A URL is a capability where a token stands in it, so it may be a reference, and it is never printed either way. */
export const urlOrReference = z.union([
  z.url({ protocol: /^https?$/, error: 'not a URL: write an http or https URL, or a reference to one' }),
  secretReference,
]);

export interface Post {
  readonly notifier: string;
  readonly url: z.infer<typeof urlOrReference>;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
}

/** Statuses after which the same request can succeed. */
const passing = new Set([408, 425, 429]);

/** Posts JSON, without following redirects: they would carry the message elsewhere. Resolves on any 2xx. */
export async function post({ notifier, url, body, headers, timeoutMs }: Post): Promise<void> {
  const response = await request(notifier, await addressOf(notifier, url), {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/json', 'user-agent': 'temporal-cert-rotation', ...headers },
    redirect: 'manual',
    signal: AbortSignal.timeout(timeoutMs),
  });
  await response.body?.cancel();
  if (response.ok) return;
  const { status } = response;
  const type =
    status >= 500 || passing.has(status)
      ? 'NotifierUnavailable'
      : status === 401 || status === 403
        ? 'NotifierUnauthenticated'
        : 'NotifierRefused';
  throw new RotationError(type, `${notifier} answers HTTP ${status}; the message was not taken.`);
}

async function addressOf(notifier: string, url: Post['url']): Promise<URL> {
  const text = typeof url === 'string' ? url : await resolveSecret(url);
  const parsed = URL.canParse(text) ? new URL(text) : undefined;
  if (!parsed || !/^https?:$/.test(parsed.protocol) || parsed.username || parsed.password) {
    throw new RotationError(
      'ReferenceUnreadable',
      `The url of ${notifier} is not an http or https URL without a user in it.`,
    );
  }
  return parsed;
}

/** fetch puts the URL into some of its messages: only codes leave here. */
async function request(notifier: string, url: URL, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init);
  } catch (error) {
    const { name, cause } = error as { name?: string; cause?: { code?: unknown } };
    const code =
      typeof cause?.code === 'string' ? cause.code : name === 'TimeoutError' ? 'no answer in time' : 'no code';
    const type = isTlsFailure(code) ? 'NotifierTlsFailed' : 'NotifierUnavailable';
    throw new RotationError(type, `${notifier} cannot be reached (${code}); the message was not taken.`);
  }
}
