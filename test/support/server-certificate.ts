import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

export interface ServerCertificate {
  readonly certificateFile: string;
  readonly keyFile: string;
}

/**
 * A server certificate for `localhost` that is its own root, made by OpenSSL into `folder`.
 * @param more extensions: the Temporal SDK's core takes no CA as a server
 */
export function makeServerCertificate(folder: string, more: readonly string[] = []): ServerCertificate {
  const [certificateFile, keyFile] = [join(folder, 'server.pem'), join(folder, 'server.key')];
  const request = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost';
  const extensions = ['subjectAltName=DNS:localhost', ...more].flatMap((extension) => ['-addext', extension]);
  execFileSync('openssl', [...request.split(' '), ...extensions, '-keyout', keyFile, '-out', certificateFile], {
    stdio: 'pipe',
  });
  return { certificateFile, keyFile };
}
