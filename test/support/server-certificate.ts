import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

export interface ServerCertificate {
  readonly certificateFile: string;
  readonly keyFile: string;
}

/** A server certificate for `localhost` that is its own root, made by OpenSSL into `folder`. */
export function makeServerCertificate(folder: string): ServerCertificate {
  const [certificateFile, keyFile] = [join(folder, 'server.pem'), join(folder, 'server.key')];
  const request = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost';
  execFileSync(
    'openssl',
    [...request.split(' '), '-addext', 'subjectAltName=DNS:localhost', '-keyout', keyFile, '-out', certificateFile],
    { stdio: 'pipe' },
  );
  return { certificateFile, keyFile };
}
